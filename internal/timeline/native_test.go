package timeline

import (
	"testing"

	"culprit/internal/event"
)

func TestCrash(t *testing.T) {
	s := newSynth(t)
	s.add(10, &event.Stack{ID: 4, Frames: []event.Frame{{File: "/srv/job.py", Func: "load", Line: 7}}})
	s.add(10, &event.Native{Signo: 6, Frames: []event.NativeFrame{{Addr: 1}}}) // outlived by a handler that was set meanwhile
	s.add(10, &event.Native{Signo: 11, Stack: 4, More: true, Frames: []event.NativeFrame{
		{Object: "/opt/app", Addr: 0x1136, Symbol: "_ZN4acme4loadEi", Offset: 6}, {Object: "/opt/app", Addr: 0x2000}, {Addr: 0x7000},
	}})
	crashes := func() *Native { return s.build().Procs[0].Crash() }
	if n := crashes(); n != nil {
		t.Errorf("of a process that is alive: %v", n)
	}
	s.add(10, &event.Exit{Status: 11 | 0x80})
	n := crashes()
	if n == nil {
		t.Fatal("no stack")
	}
	const want = "acme::load+0x6 (app) < app+0x2000 < 0x7000 < ..., at /srv/job.py:7 in load"
	if n.String() != want {
		t.Errorf("stack %s\nwant  %s", n, want)
	}
	if p := s.build().Procs[0]; len(p.Natives) != 2 || p.Stands != nil {
		t.Errorf("%d stacks, %v", len(p.Natives), p.Stands)
	}
	s.events[len(s.events)-1].Body = &event.Exit{Status: 9}
	if n := crashes(); n != nil {
		t.Errorf("of a process that was killed: %v", n)
	}
}

// A thread's place is that of the newest look.
func TestStands(t *testing.T) {
	s := newSynth(t)
	for look := range uint32(2) {
		s.add(10, &event.Wait{State: "S", Look: look + 1})
		if look == 0 {
			s.add(10, &event.Native{Frames: []event.NativeFrame{{Object: "/opt/app", Symbol: "idle"}}})
			if p := s.build().Procs[0]; len(p.Natives) != 0 || len(p.Stands) != 1 || p.Stands[10].Frames[0].Function != "idle" {
				t.Errorf("%+v", p.Stands)
			}
		}
	}
	if p := s.build().Procs[0]; len(p.Stands) != 0 {
		t.Errorf("of the look before: %+v", p.Stands)
	}
}
