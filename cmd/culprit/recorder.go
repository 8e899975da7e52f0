package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/owner"
	"culprit/internal/record"
)

// recorderCommand is how `run` starts its second process: the one that records.
// It stays behind for processes that outlive the command (ADR 0002), while the
// first prints the verdict and exits with the command's status.
const recorderCommand = "__record"

// Descriptors by which the two processes talk, as JSON values.
const (
	fdOrders = 3 // from run: the Config, then signals to pass on
	fdNews   = 4 // to run
)

// news is what the recorder tells.
type news struct {
	Started int            `json:"started,omitempty"` // pid of the command
	Stopped int            `json:"stopped,omitempty"` // signal that stopped it
	Done    *record.Result `json:"done,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// order is what run asks for after the Config.
type order struct {
	Signal int `json:"signal"`
}

func recorder() int {
	unix.CloseOnExec(fdOrders)
	unix.CloseOnExec(fdNews)
	orders, tell := json.NewDecoder(os.NewFile(fdOrders, "orders")), json.NewEncoder(os.NewFile(fdNews, "news"))
	var cfg record.Config
	if err := orders.Decode(&cfg); err != nil {
		return 1 // run is gone
	}
	// The terminal sends its signals to the whole foreground group; they are
	// the program's. Catching, not ignoring: an ignored signal would be
	// inherited by the program.
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	started := make(chan int, 1)
	go passSignals(orders, started)

	res, err := record.Run(context.Background(), cfg, record.Watcher{
		Started: func(pid int) {
			started <- pid
			_ = tell.Encode(news{Started: pid})
		},
		Stopped: func(sig unix.Signal) { _ = tell.Encode(news{Stopped: int(sig)}) },
		Owner:   ownerOf(owner.Open("/")),
	})
	n := news{Done: &res}
	if err != nil {
		n.Error = err.Error()
	}
	_ = tell.Encode(n)
	if res.Tail != nil {
		detachOutput()
		res.Tail(context.Background())
	}
	if err != nil {
		return 1
	}
	return 0
}

func ownerOf(db *owner.DB) func(string) (event.Owner, bool) {
	return func(path string) (event.Owner, bool) {
		o, ok := db.Of(path)
		return event.Owner{Manager: o.Kind, Package: o.Package, Version: o.Version}, ok
	}
}

// passSignals sends the command the signals that run was sent. Run can't tell a
// signal to itself from one to its whole group, which the program got already:
// such a program gets it twice.
func passSignals(orders *json.Decoder, started <-chan int) {
	pid := 0
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return // run is gone
		}
		if pid == 0 {
			select {
			case pid = <-started:
			case <-time.After(5 * time.Second):
				continue // it never started
			}
		}
		_ = unix.Kill(pid, syscall.Signal(o.Signal))
	}
}

// detachOutput lets go of the program's output, so that whoever reads it sees
// its end when the program's own processes are done with it.
func detachOutput() {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	for fd := range 3 {
		_ = unix.Dup3(int(null.Fd()), fd, 0)
	}
	_ = unix.Close(fdNews)
	_, _ = unix.Setsid()
}
