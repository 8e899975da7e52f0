// Package lens is what a recorder promises, the one clock, and how a tracing
// thread waits. The recorders are the packages below it, and record chooses
// among them.
package lens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

// Sink takes events while the program runs. Put encodes before it returns, so
// the caller may reuse the body and every byte slice in it at once. It may be
// called from several goroutines. A sink never fails: what it can't keep it
// counts as a Loss.
type Sink interface {
	Put(e event.Event)
}

// Lens is one recorder.
type Lens interface {
	// Name is "kernel", "code" or "wire".
	Name() string
	// Probe says whether the lens can work on this machine; the error is or
	// wraps *Unavailable. It changes nothing and may be called at any time.
	Probe() error
	// Record runs until the target and all that descend from it are gone, or
	// ctx is done, and blocks all the while: nothing of it runs after its
	// return. A recorder that stops early leaves the program running.
	Record(ctx context.Context, t Target, s Sink) error
}

// Target is a program that was started and stands stopped (SIGSTOP) before its
// first instruction, or, with Running set, one to attach to.
type Target struct {
	PID     int
	Running bool
	// Dir is the run's private directory (0700) that the agents of the
	// program's processes write to.
	Dir string
}

// ErrUnavailable is what every missing ability wraps.
var ErrUnavailable = errors.New("not available here")

// Unavailable says which ability is missing, why, and what would allow it.
type Unavailable struct {
	Ability string // "ptrace", "seccomp filter", ...
	Reason  string
	Remedy  string // a command or a setting, may be empty
	Root    bool   // it takes root, and this process is not
}

func (u *Unavailable) Error() string { return fmt.Sprintf("%s: %s", u.Ability, u.Reason) }

// Unwrap makes errors.Is(err, ErrUnavailable) true.
func (u *Unavailable) Unwrap() error { return ErrUnavailable }

// epoch is one reading of the runtime's clock beside CLOCK_MONOTONIC. Both tick
// alike (runtime.nanotime reads CLOCK_MONOTONIC through the vDSO), so that Now
// needs no system call.
var epoch, epochTime = func() (event.Time, time.Time) {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return event.Time(ts.Nano()), time.Now()
}()

// Now reads CLOCK_MONOTONIC, the clock of every event.
func Now() event.Time { return epoch + event.Time(time.Since(epochTime)) }
