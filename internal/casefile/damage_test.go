package casefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"culprit/internal/event"
	"culprit/internal/pcapng"
)

const crashVariable = "CULPRIT_TEST_CRASH"

func TestMain(m *testing.M) {
	if mode := os.Getenv(crashVariable); mode != "" {
		crashChild(mode, os.Args[1])
		return
	}
	os.Exit(m.Run())
}

// crashChild writes events until it is killed: a burst and then nothing, or
// without an end.
func crashChild(mode, path string) {
	w, err := Create(path, Options{Culprit: "test"})
	if err != nil {
		panic(err)
	}
	noise := make([]byte, 3000)
	random := rand.NewChaCha8([32]byte{1})
	for i := 0; ; i++ {
		random.Read(noise)
		w.Put(numbered(i, noise))
		if mode == "burst" && i == 999 {
			select {}
		}
	}
}

func numbered(i int, data []byte) event.Event {
	return event.Event{Time: event.Time(i), PID: 1, TID: 1, Body: &event.Agent{Lang: "test", Data: data}}
}

// checkNumbered says how many events there are and fails when they don't begin
// at 0 or leave one out.
func checkNumbered(t *testing.T, c *Case) (n int) {
	t.Helper()
	for e, err := range c.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Time != event.Time(n) {
			t.Fatalf("event %d is number %d", n, e.Time)
		}
		n++
	}
	return n
}

// A writer that is killed with SIGKILL leaves what it had written.
func TestCrash(t *testing.T) {
	for _, mode := range []string{"burst", "endless"} {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		cmd := exec.Command(os.Args[0], path)
		cmd.Env = append(os.Environ(), crashVariable+"="+mode)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		enough := func() bool {
			c, err := Open(path)
			if err != nil {
				return false
			}
			defer c.Close()
			return c.Count() >= map[string]uint64{"burst": 1000, "endless": 20000}[mode]
		}
		for !enough() {
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				t.Fatalf("%s: the child does not get on: %v %s", mode, cmd.Wait(), errs.String())
			}
			runtime.Gosched()
		}
		if _, err := Create(path, Options{}); err == nil || !strings.Contains(err.Error(), "another culprit") {
			t.Errorf("%s: the spool was taken from the living writer: %v", mode, err)
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // says "signal: killed"
		c := open(t, path)
		n := checkNumbered(t, c)
		lacks := strings.Join(c.Lacks(), "\n")
		if n < 1000 || uint64(n) != c.Count() || !strings.Contains(lacks, "cut off") || !c.Spool() {
			t.Errorf("%s: %d events, counted %d, lacks %q", mode, n, c.Count(), lacks)
		}
		// What is left can be finished like any other spool.
		if err := Finish(path+SpoolSuffix, path, Layout{}); err != nil {
			t.Fatal(err)
		}
		if after := open(t, path); checkNumbered(t, after) != n || after.Spool() {
			t.Errorf("%s: %d events after Finish, %d before", mode, after.Count(), n)
		}
	}
}

// A spool cut at any place opens and gives its whole blocks, and the event of
// a block of which only the end behind the payload is missing.
func TestCut(t *testing.T) {
	var events []event.Event
	for i := range 20 {
		events = append(events, numbered(i, []byte("data")))
	}
	path := record(t, Options{Batch: 1}, events...)
	whole, err := os.ReadFile(path + SpoolSuffix)
	if err != nil {
		t.Fatal(err)
	}
	section := int(binary.LittleEndian.Uint32(whole[4:]))
	for cut := range whole {
		name := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(name)
		if cut < section {
			if !errors.Is(err, ErrNotACase) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n := checkNumbered(t, c)
		lacks := strings.Join(c.Lacks(), "\n")
		at, want := section, 0
		for at+8 <= cut && at+int(binary.LittleEndian.Uint32(whole[at+4:])) <= cut {
			at += int(binary.LittleEndian.Uint32(whole[at+4:]))
			want++
		}
		if size := at + 12 + HeaderSize; size < cut && size+int(binary.LittleEndian.Uint32(whole[at+12+28:])) <= cut {
			want++
		}
		torn := strings.Contains(lacks, fmt.Sprintf("offset %d: the file ends inside a block", at))
		if n != want || torn != (at != cut) || !strings.Contains(lacks, "cut off") {
			t.Fatalf("cut at %d: %d events up to %d, want %d, lacks %q", cut, n, at, want, lacks)
		}
		c.Close()
	}
}

// One flipped byte costs at most the batch it is in, or what is behind it when
// it is in a length; it never goes unnoticed.
func TestFlip(t *testing.T) {
	var events []event.Event
	for i := range 10 {
		events = append(events, numbered(i, []byte("data")))
	}
	events = append(events, event.Event{Time: 10, Body: &event.End{}})
	path := record(t, Options{Batch: 1}, events...)
	whole, err := os.ReadFile(path + SpoolSuffix)
	if err != nil {
		t.Fatal(err)
	}
	section := int(binary.LittleEndian.Uint32(whole[4:]))
	name := filepath.Join(t.TempDir(), "flipped")
	quiet := 0
	for at := section; at < len(whole); at++ {
		data := bytes.Clone(whole)
		data[at] ^= 0x55
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(name)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		got, damage := all(c)
		if len(c.Lacks()) == 0 {
			// Only what carries nothing may change unseen: the padding, the
			// reserved words, and flags that have no meaning yet.
			quiet++
			if len(got) != len(events) || damage != nil {
				t.Errorf("byte %d: %d events, %q, nothing lacks", at, len(got), damage)
			}
		}
		c.Close()
	}
	if limit := len(events) * (3 + 4 + 2); quiet > limit {
		t.Errorf("%d changed bytes went unnoticed, at most %d carry nothing", quiet, limit)
	}
}

// craft writes a spool with one batch of the given header and payload.
func craft(t *testing.T, h batch, payload []byte) string {
	t.Helper()
	h.Payload, h.CRC = payload, crc32.Checksum(payload, castagnoli)
	b := pcapng.Append(nil, sectionBlock("9"), nil)
	b = pcapng.Append(b, &pcapng.Custom{PEN: pcapng.ExamplePEN, Data: append(h.appendHeader(nil), payload...)}, nil)
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, raw []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	return enc.EncodeAll(raw, nil)
}

func TestNewer(t *testing.T) {
	path := craft(t, batch{Version: Version + 1}, []byte("who knows"))
	_, err := Open(path)
	var newer *NewerError
	if !errors.Is(err, ErrNewer) || !errors.As(err, &newer) || newer.Has != Version+1 || newer.Knows != Version {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%s has case format %d, this culprit reads up to %d (written by culprit 9)", path, Version+1, Version); err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDamagedBatch(t *testing.T) {
	one := event.Append(nil, numbered(0, []byte("x")))
	n := uint32(len(one))
	bomb := packed(t, make([]byte, 2*MaxBatch))
	for name, tt := range map[string]struct {
		h       batch
		payload []byte
		want    string
		events  int
	}{
		"good":          {batch{Count: 1, RawSize: n}, packed(t, one), "", 1},
		"not zstd":      {batch{Count: 1, RawSize: n}, []byte("rubbish!"), "does not unpack", 0},
		"size":          {batch{Count: 1, RawSize: n + 1}, packed(t, one), "unpacks to", 0},
		"count":         {batch{Count: 2, RawSize: n}, packed(t, one), "holds 1 events", 1},
		"torn event":    {batch{Count: 1, RawSize: n - 1}, packed(t, one[:n-1]), "damaged record", 0},
		"bomb":          {batch{Count: 1, RawSize: MaxBatch}, bomb, "does not unpack", 0},
		"bomb declared": {batch{Count: 1, RawSize: 2 * MaxBatch}, bomb, "unpacks to", 0},
		"lost":          {batch{Count: 1, RawSize: n, First: 7}, packed(t, one), "7 events lost", 1},
	} {
		tt.h.Version = Version
		c := open(t, craft(t, tt.h, tt.payload))
		got, damage := all(c)
		text := strings.Join(append(c.Lacks(), damage...), "\n")
		if len(got) != tt.events || !strings.Contains(text, tt.want) || tt.want == "" && damage != nil {
			t.Errorf("%s: %d events, %q, want %q", name, len(got), text, tt.want)
		}
	}
}

// faulty fails as a full disk does, after half of what it is given, while full
// is set.
type faulty struct {
	to   io.Writer
	full *atomic.Bool
}

func (f faulty) Write(b []byte) (int, error) {
	if f.full.Load() {
		n, _ := f.to.Write(b[:len(b)/2])
		return n, syscall.ENOSPC
	}
	return f.to.Write(b)
}

func TestDiskFull(t *testing.T) {
	var full atomic.Bool
	path := filepath.Join(t.TempDir(), "x")
	w, err := Create(path, Options{Batch: 1, through: func(to io.Writer) io.Writer { return faulty{to, &full} }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.Put(numbered(i, nil))
	}
	for countEvents(t, w.Path()) < 5 {
		runtime.Gosched()
	}
	full.Store(true)
	for i := range 5 {
		w.Put(numbered(5+i, nil))
	}
	for w.Lost().Disk < 5 {
		runtime.Gosched()
	}
	full.Store(false)
	w.Put(event.Event{Time: 10, Body: &event.End{}})
	err = w.Close()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), w.Path()) {
		t.Errorf("Close: %v", err)
	}
	if again := w.Close(); again != err {
		t.Errorf("Close again: %v", again)
	}
	c := open(t, path)
	got, damage := all(c)
	if len(got) != 7 || damage != nil {
		t.Fatalf("%d events, %q", len(got), damage)
	}
	loss, ok := got[6].Body.(*event.Loss)
	if !ok || loss.Count != 5 || got[6].Time != 10 {
		t.Errorf("last event %+v", got[6])
	}
	if l := c.Lacks(); len(l) != 1 || !strings.Contains(l[0], "5 events lost before offset") {
		t.Errorf("lacks %q", l)
	}
}

func countEvents(t *testing.T, path string) uint64 {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Count()
}

func TestTooBigAndLate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Put(numbered(0, nil))
	w.Put(numbered(1, make([]byte, MaxEvent)))
	w.Put(numbered(1, make([]byte, MaxEvent-100)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Put(numbered(2, nil))
	if l := w.Lost(); l != (Lost{TooBig: 1, Late: 1}) {
		t.Errorf("lost %+v", l)
	}
	got, damage := all(open(t, path))
	if len(got) != 3 || damage != nil {
		t.Fatalf("%d events, %q", len(got), damage)
	}
	if l, ok := got[2].Body.(*event.Loss); !ok || l.Count != 1 || l.Lens != "case" {
		t.Errorf("%+v", got[2].Body)
	}
}

// gate holds back every write until it is opened.
type gate struct {
	to   io.Writer
	open chan struct{}
}

func (g gate) Write(b []byte) (int, error) {
	<-g.open
	return g.to.Write(b)
}

// While the disk stands still Put waits and memory stays bounded; afterwards
// everything is there.
func TestBackPressure(t *testing.T) {
	const batchSize, each, putters, perPutter = 10_000, 1000, 4, 100
	path := filepath.Join(t.TempDir(), "x")
	opened := make(chan struct{})
	w, err := Create(path, Options{Batch: batchSize, through: func(to io.Writer) io.Writer { return gate{to, opened} }})
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for range putters {
		wg.Go(func() {
			for i := range perPutter {
				w.Put(numbered(i, make([]byte, each)))
				accepted.Add(1)
			}
		})
	}
	for {
		w.mu.Lock()
		stuck := len(w.full) >= maxWaiting && len(w.cur.buf) >= batchSize
		w.mu.Unlock()
		if stuck {
			break
		}
		runtime.Gosched()
	}
	if n := accepted.Load(); n > (maxWaiting+2)*batchSize/each {
		t.Errorf("%d events were taken while the disk stood still", n)
	}
	close(opened)
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, damage := all(open(t, path))
	if len(got) != putters*perPutter || damage != nil {
		t.Errorf("%d events, %q", len(got), damage)
	}
}

// Run it with -fuzzminimizetime 10x: minimising compressed input takes all the
// time there is.
func FuzzOpen(f *testing.F) {
	add := func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := record(f, Options{Batch: 100}, sample()...)
	add(path + SpoolSuffix)
	if err := Finish(path, path, Layout{
		Interfaces: []Interface{{Name: "lo", LinkType: 1}}, Secrets: [][]byte{[]byte("CLIENT_RANDOM 0 1\n")},
		Packets: []Packet{{Data: []byte("frame"), PID: 1}}, Rows: []Row{{Fields: []Field{{"MESSAGE", "m"}}}},
	}); err != nil {
		f.Fatal(err)
	}
	add(path)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:len(whole)-5])
	f.Add(whole[:len(whole)-400])
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data) // the fuzzer's own must not change
		fixChecksums(data)
		name := filepath.Join(dir, "x")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(name)
		if err != nil {
			return
		}
		defer c.Close()
		events, damage := all(c)
		if len(damage) > 0 && len(c.Lacks()) == 0 {
			t.Errorf("damage %q, but nothing lacks", damage)
		}
		// What is laid out anew holds the same events.
		var out bytes.Buffer
		w := pcapng.NewWriter(&out)
		if err := errors.Join((&Layout{}).write(w), copyBatches(w, c)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got, _ := all(again); len(got) != len(events) && len(damage) == 0 {
			t.Errorf("%d events laid out anew, %d before", len(got), len(events))
		}
	})
}

// fixChecksums makes the checksum of every batch right, so that the fuzzer gets
// behind it.
func fixChecksums(data []byte) {
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(Magic))
		if i < 0 || len(data)-at-i < HeaderSize {
			return
		}
		h := data[at+i:]
		if size := binary.LittleEndian.Uint32(h[28:]); uint64(size) <= uint64(len(h)-HeaderSize) {
			binary.LittleEndian.PutUint32(h[32:], crc32.Checksum(h[HeaderSize:HeaderSize+size], castagnoli))
		}
		at += i + len(Magic)
	}
}
