package main

//lint:file-ignore ST1005 these are tcpdump's own words, which scripts compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"culprit/internal/pcapfilter"
	"culprit/internal/tcpdump"
)

type tcpdumpFlags struct {
	in, read, write, filterFile, direction                            string
	count, snaplen, rotateSize, rotateTime, files, bufferKiB, process int
	noNames, verbose, times, hex, hexASCII, ascii                     int
	list, link, quiet, absolute, noSums, numbers, lines, flush        bool
	noPromiscuous, nanos, print, countOnly                            bool
}

func tcpdumpCommand() *cobra.Command {
	var f tcpdumpFlags
	c := &cobra.Command{
		Use:   "tcpdump [OPTIONS] [EXPRESSION]",
		Short: "print packets as tcpdump(8) does, with its options; --process for those of one program",
		Long: `Prints packets as tcpdump 4.99 does: TCP, UDP, ICMP, ICMPv6, ARP, DNS, IPv6 and
the first lines of text protocols. EXPRESSION is a filter (pcap-filter(7)).

Exit status: 0, 1 on an error, 2 for wrong usage.`,
		RunE: func(_ *cobra.Command, args []string) error { return f.run(strings.Join(args, " ")) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.in, "interface", "i", "", "capture on `INTERFACE` (any: all; default: the first that is up)")
	fl.BoolVarP(&f.list, "list-interfaces", "D", false, "list the interfaces")
	fl.StringVarP(&f.read, "read", "r", "", "read packets from `FILE`, pcap or pcapng (- is standard input)")
	fl.StringVarP(&f.write, "write", "w", "", "write packets to `FILE` (- is standard output) instead of printing them")
	fl.BoolVar(&f.print, "print", false, "print them as well")
	fl.IntVarP(&f.count, "count-packets", "c", 0, "end after `N` packets")
	fl.BoolVar(&f.countOnly, "count", false, "print only how many packets there are")
	fl.IntVarP(&f.snaplen, "snapshot-length", "s", 262144, "keep at most `BYTES` of a packet")
	fl.IntVarP(&f.rotateSize, "file-size", "C", 0, "begin a new file after `MILLIONS` of bytes")
	fl.IntVarP(&f.rotateTime, "rotate-seconds", "G", 0, "begin a new file after `SECONDS`; strftime(3) fills in its name")
	fl.IntVarP(&f.files, "file-count", "W", 0, "with -C overwrite the oldest of `N` files, with -G end after them")
	fl.StringVarP(&f.filterFile, "filter-file", "F", "", "read the expression from `FILE`")
	fl.StringVarP(&f.direction, "direction", "Q", "inout", "capture what goes `in`, out or inout")
	fl.IntVarP(&f.bufferKiB, "buffer-size", "B", 0, "give the kernel a buffer of `KIB`")
	fl.IntVar(&f.process, "process", 0, "show only packets of process `PID` and its descendants")
	fl.CountVarP(&f.noNames, "numeric", "n", "show numbers, not names")
	fl.CountVarP(&f.verbose, "verbose", "v", "say more (-v, -vv, -vvv)")
	fl.CountVarP(&f.times, "timestamp", "t", "no time (-t), seconds since 1970 (-tt), since the last packet (-ttt), the date too (-tttt), since the first (-ttttt)")
	fl.CountVarP(&f.hex, "hex", "x", "show the bytes in hexadecimal (-xx: the link header too)")
	fl.CountVarP(&f.hexASCII, "hex-ascii", "X", "in hexadecimal and ASCII (-XX: the link header too)")
	fl.CountVarP(&f.ascii, "ascii", "A", "in ASCII (-AA: the link header too)")
	fl.BoolVarP(&f.link, "link-header", "e", false, "show the link header")
	fl.BoolVarP(&f.quiet, "quick", "q", false, "say less")
	fl.BoolVarP(&f.absolute, "absolute-tcp-sequence-numbers", "S", false, "show TCP's sequence numbers as they are")
	fl.BoolVarP(&f.noSums, "dont-verify-checksums", "K", false, "don't check checksums")
	fl.BoolVarP(&f.numbers, "number", "#", false, "number the packets")
	fl.BoolVarP(&f.lines, "line-buffered", "l", false, "write each line at once")
	fl.BoolVarP(&f.flush, "packet-buffered", "U", false, "write each packet at once")
	fl.BoolVarP(&f.noPromiscuous, "no-promiscuous-mode", "p", false, "don't ask for other machines' packets")
	fl.BoolVar(&f.nanos, "nano", false, "times in nanoseconds")
	return c
}

func tcpdumpSays(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "tcpdump: "+format+"\n", args...)
}

func (f *tcpdumpFlags) run(expression string) error {
	switch {
	case f.list:
		return listInterfaces()
	case !slices.Contains([]string{"in", "out", "inout"}, f.direction):
		return usagef("-Q %q: it is one of in, out, inout", f.direction)
	case f.count < 0 || f.snaplen < 0 || f.rotateSize < 0 || f.rotateTime < 0 || f.files < 0 || f.bufferKiB < 0 || f.process < 0:
		return usagef("numbers can't be negative")
	case f.read != "" && f.process != 0:
		return usagef("--process needs packets that are being captured: a file does not say whose its packets are")
	case f.write == "" && f.rotateSize+f.rotateTime > 0:
		return usagef("-C and -G are about the files of -w")
	}
	if f.snaplen == 0 {
		f.snaplen = 262144
	}
	if f.filterFile != "" {
		b, err := os.ReadFile(f.filterFile)
		if err != nil {
			return fmt.Errorf("read the filter: %w", err)
		}
		expression = string(b)
	}
	compile := pcapfilter.Options{Service: services().number, Resolve: func(name string) []netip.Addr {
		out, _ := net.DefaultResolver.LookupNetIP(context.Background(), "ip", name) // an unknown one is the filter's error
		return out
	}}
	var err error
	if f.read != "" {
		err = f.file(expression, compile)
	} else {
		err = f.live(expression, compile)
	}
	if e := (*pcapfilter.Error)(nil); errors.As(err, &e) {
		return usagef("%v", e)
	}
	return err
}

// sink prints or writes packets.
type sink struct {
	*tcpdumpFlags
	printer *tcpdump.Printer // nil: not printed
	saver   *tcpdump.Saver   // nil: not written
	out     *bufio.Writer
	seen    int
}

func (f *tcpdumpFlags) sink(link int) (*sink, error) {
	s := &sink{tcpdumpFlags: f, out: bufio.NewWriterSize(os.Stdout, 64<<10)}
	if f.write != "" {
		o := tcpdump.SaveOptions{Path: f.write, Output: os.Stdout, Link: link, Snaplen: f.snaplen, Nanos: f.nanos, Flush: f.flush,
			Size: int64(f.rotateSize) * 1e6, Every: time.Duration(f.rotateTime) * time.Second, Files: f.files, Zone: time.Local}
		var err error
		if s.saver, err = tcpdump.NewSaver(o); err != nil {
			return nil, err
		}
	}
	if f.write == "" && !f.countOnly || f.print {
		o := tcpdump.Options{Time: f.times, Verbose: f.verbose, Quiet: f.quiet, Link: f.link, Absolute: f.absolute, NoSums: f.noSums, Numbers: f.numbers,
			Hex: f.hex, HexASCII: f.hexASCII, ASCII: f.ascii, Nanos: f.nanos, Zone: time.Local, Interface: interfaceName}
		if f.noNames == 0 {
			o.Host, o.Port = hostNames(), services().name
		}
		s.printer = tcpdump.New(o)
	}
	return s, nil
}

// errDone ends a walk over packets early.
var errDone = errors.New("done")

func (s *sink) put(p tcpdump.Packet) error {
	s.seen++
	if s.saver != nil {
		if err := s.saver.Put(p); errors.Is(err, tcpdump.ErrEnough) {
			s.seen--
			return errDone
		} else if err != nil {
			return err
		}
	}
	if s.printer != nil {
		if _, err := s.out.Write(s.printer.Print(p)); err != nil {
			return fmt.Errorf("write packets: %w", err)
		}
		if s.lines {
			if err := s.out.Flush(); err != nil {
				return fmt.Errorf("write packets: %w", err)
			}
		}
	}
	if s.seen == s.tcpdumpFlags.count {
		return errDone
	}
	return nil
}

func (s *sink) close() error {
	err := s.out.Flush()
	if s.saver != nil {
		err = errors.Join(err, s.saver.Close())
	}
	return err
}

func (f *tcpdumpFlags) file(expression string, compile pcapfilter.Options) error {
	in, name := io.Reader(os.Stdin), "-"
	if f.read != "-" {
		file, err := os.Open(f.read)
		if err != nil {
			return fmt.Errorf("open the capture: %w", err)
		}
		defer file.Close()
		in, name = file, f.read
	}
	src, err := tcpdump.OpenFile(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	tcpdumpSays("reading from file %s, link-type %s, snapshot length %d", name, linkName(src.Link), cmpOr(int(src.Snaplen), 262144))
	filters := map[int]*pcapfilter.Filter{}
	s, err := f.sink(src.Link)
	if err != nil {
		return err
	}
	for {
		p, err := src.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return errors.Join(err, s.close())
		}
		if expression != "" {
			filter := filters[p.Link]
			if filter == nil {
				compile.Link = p.Link
				if filter, err = pcapfilter.Compile(expression, compile); err != nil {
					return errors.Join(err, s.close())
				}
				filters[p.Link] = filter
			}
			if !filter.Match(p.Data, p.Len) {
				continue
			}
		}
		if len(p.Data) > f.snaplen {
			p.Data = p.Data[:f.snaplen]
		}
		if err := s.put(p); errors.Is(err, errDone) {
			break
		} else if err != nil {
			return err
		}
	}
	if f.countOnly {
		fmt.Fprintf(os.Stdout, "%d packet%s\n", s.seen, plural(s.seen))
	}
	return s.close()
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func linkName(link int) string {
	if s, ok := tcpdump.LinkNames[link]; ok {
		return s
	}
	return strconv.Itoa(link)
}

func (f *tcpdumpFlags) live(expression string, compile pcapfilter.Options) error {
	name := f.in
	if name == "" {
		name = defaultInterface()
	}
	l, err := tcpdump.OpenLive(tcpdump.LiveOptions{Interface: name, Filter: expression, Snaplen: f.snaplen, Buffer: f.bufferKiB << 10,
		Promiscuous: !f.noPromiscuous && name != "any", Direction: f.direction, Process: f.process, Compile: compile})
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := f.sink(l.Link)
	if err != nil {
		return err
	}
	if f.verbose == 0 && f.write == "" {
		tcpdumpSays("verbose output suppressed, use -v[v]... for full protocol decode")
		fmt.Fprintf(os.Stderr, "listening on %s, link-type %s, snapshot length %d bytes\n", name, linkName(l.Link), f.snaplen)
	} else {
		tcpdumpSays("listening on %s, link-type %s, snapshot length %d bytes", name, linkName(l.Link), f.snaplen)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	began := time.Now()
	onTerminal := terminal(os.Stdout)
	for ctx.Err() == nil {
		p, ok, err := l.Next(time.Since(began))
		if err == nil && ok {
			err = s.put(p)
		} else if err == nil && onTerminal {
			err = s.out.Flush() // nobody waits for a full buffer
		}
		if errors.Is(err, errDone) {
			break
		}
		if err != nil {
			return errors.Join(err, s.close())
		}
	}
	err = s.close()
	received, dropped, statErr := l.Stats()
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr)
	}
	for _, line := range []struct {
		n    uint64
		what string
	}{{uint64(s.seen), "captured"}, {received, "received by filter"}, {dropped, "dropped by kernel"}} {
		fmt.Fprintf(os.Stderr, "%d packet%s %s\n", line.n, plural(int(line.n)), line.what)
	}
	return errors.Join(err, statErr)
}

// interfaces are those that are up first, loopback last, as libpcap sorts them.
func interfaces() ([]net.Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	rank := func(i net.Interface) int {
		n := 0
		if i.Flags&net.FlagRunning == 0 {
			n += 2
		}
		if i.Flags&net.FlagUp == 0 {
			n += 4
		}
		if i.Flags&net.FlagLoopback != 0 {
			n++
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b net.Interface) int { return rank(a) - rank(b) })
	return list, nil
}

func defaultInterface() string {
	list, err := interfaces()
	if err != nil || len(list) == 0 {
		return "any"
	}
	return list[0].Name
}

func listInterfaces() error {
	list, err := interfaces()
	if err != nil {
		return err
	}
	n := 0
	line := func(name string, what []string) {
		n++
		if what == nil {
			what = []string{"none"}
		}
		fmt.Fprintf(os.Stdout, "%d.%s [%s]\n", n, name, strings.Join(what, ", "))
	}
	anyShown := false
	showAny := func() {
		if !anyShown {
			line("any (Pseudo-device that captures on all interfaces)", []string{"Up", "Running"})
			anyShown = true
		}
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagRunning == 0 {
			showAny()
		}
		var what []string
		if i.Flags&net.FlagUp != 0 {
			what = append(what, "Up")
		}
		if i.Flags&net.FlagRunning != 0 {
			what = append(what, "Running")
		}
		switch {
		case i.Flags&net.FlagLoopback != 0:
			what = append(what, "Loopback")
		case i.Flags&net.FlagRunning != 0:
			what = append(what, "Connected")
		case i.Flags&net.FlagUp != 0:
			what = append(what, "Disconnected")
		}
		line(i.Name, what)
	}
	showAny()
	return nil
}

func interfaceName(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return ""
}

// hostNames resolves addresses, each once.
func hostNames() func(netip.Addr) string {
	known := map[netip.Addr]string{}
	return func(a netip.Addr) string {
		name, ok := known[a]
		if !ok {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if names, err := net.DefaultResolver.LookupAddr(ctx, a.String()); err == nil && len(names) > 0 {
				name = strings.TrimSuffix(names[0], ".")
			}
			known[a] = name
		}
		return name
	}
}
