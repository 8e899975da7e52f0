package live

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// debuggee is one Python process at the other end of a channel.
type debuggee struct {
	*session
	*channel
	process *process
	watcher *watcher
	quit    bool
	again   []string // the command line that is to be run next
}

// serve answers the program until its end of the channel is closed.
func (d *debuggee) serve() error {
	commands := d.opt.Commands
	if d.state != nil {
		if err := d.send('S', d.state); err != nil {
			return nil
		}
		commands = nil
	}
	if err := d.fields('A', commands...); err != nil {
		return nil
	}
	for {
		kind, data, err := d.receive()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET):
			return nil
		case err != nil:
			return fmt.Errorf("hear the program's debugger: %w", err)
		}
		if err := d.answer(kind, data); err != nil {
			if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
				return nil
			}
			return err
		}
	}
}

func (d *debuggee) answer(kind byte, data []byte) error {
	switch kind {
	case 'O':
		_, err := d.opt.Out.Write(data)
		return err
	case 'R':
		return d.line(string(data))
	case 'I', 'J':
		tid, _ := strconv.ParseInt(string(data), 10, 32)
		d.watcher.enters(int32(tid), kind == 'I')
		return d.fields('K', "")
	case 'V':
		f := split(data)
		if len(f) != 3 {
			break
		}
		_, err := parse("", f[0], f[1], f[2])
		return d.fields('K', problem(err))
	case 'B':
		entry, points, err := breakpoints(split(data))
		if err == nil {
			err = d.watcher.watch(entry, points)
		}
		return d.fields('K', problem(err))
	case 'W':
		tid, _ := strconv.ParseInt(string(data), 10, 32)
		reason := d.watcher.reason(int32(tid))
		if reason == nil {
			reason = []string{"0", "", "", ""}
		}
		return d.fields('K', reason...)
	case 'Q':
		d.quit = true
		return nil
	case 'S':
		d.state = data
		return nil
	case 'X':
		return d.fields('K', d.restart(data))
	case 'E':
		return fmt.Errorf("pdb can't be brought into the program: %s", data)
	}
	return fmt.Errorf("the program's debugger sent %q, which means nothing", kind)
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// line gets the program a line of commands.
func (d *debuggee) line(prompt string) error {
	var failed error
	line, err := d.opt.Input.ReadLine(prompt, func(line string, at int) []string {
		if failed = d.fields('T', strconv.Itoa(len([]rune(line[:at]))), line); failed != nil {
			return nil
		}
		kind, data, err := d.receive()
		if failed = err; err != nil || kind != 'T' || len(data) == 0 {
			return nil
		}
		return split(data)
	})
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, ErrInterrupted):
		return d.send('K', nil)
	case errors.Is(err, io.EOF):
		return d.send('Z', nil)
	case err != nil:
		return fmt.Errorf("read a command: %w", err)
	}
	return d.send('L', []byte(line))
}

// restart takes in the command run, and says what is wrong with it: the number
// of the program's arguments, those, and the new ones; nothing keeps the old.
func (d *debuggee) restart(data []byte) (problem string) {
	d.again = d.opt.Argv
	if len(data) == 0 {
		return ""
	}
	f := split(data)
	n, err := strconv.Atoi(f[0])
	argv := d.opt.Argv
	if err != nil || n < 0 || n >= len(f) || n >= len(argv) || !slices.Equal(argv[len(argv)-n:], f[1:1+n]) {
		d.again = nil
		return "its arguments are not those of " + argv[0] + "'s command line"
	}
	d.again = append(slices.Clone(argv[:len(argv)-n]), f[1+n:]...)
	return ""
}
