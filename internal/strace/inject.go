package strace

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"culprit/internal/sysabi"
)

// injection is one -e inject= or fault=: what is done to which calls of a task.
type injection struct {
	calls       callSet
	first, last int // counted per task from 1
	step        int // 0: only at first
	hasResult   bool
	isError     bool
	result      int64
	signal      unix.Signal
	syscall     string // done in its place
	delayEnter  time.Duration
	delayExit   time.Duration
	pokeEnter   []payload
	pokeExit    []payload
}

// payload is data for the memory that an argument, counted from 1, points to.
type payload struct {
	arg  int
	data []byte
}

const lastCall = 0xffff

func parseInjection(text string, fault bool) (injection, error) {
	what := "inject argument"
	if fault {
		what = "fault argument"
	}
	wrong := fmt.Errorf("invalid %s '%s'", what, text)
	name, rest, _ := strings.Cut(text, ":")
	in := injection{first: 1, last: lastCall, step: 1}
	acts := false
	for _, token := range strings.Split(rest, ":") {
		if token == "" {
			continue
		}
		key, val, has := strings.Cut(token, "=")
		ok := has
		switch {
		case !has:
		case key == "when":
			ok = in.when(val)
			if ok {
				continue
			}
		case key == "error":
			ok = !in.hasResult && in.errno(val)
			in.hasResult, in.isError = true, true
		case key == "syscall":
			ok = in.syscall == "" && slices.Contains(pureCalls, val)
			for _, a := range arches {
				_, known := sysabi.Number(a.arch, val)
				ok = ok && known
			}
			in.syscall = val
			if ok {
				continue
			}
		case fault:
			ok = false
		case key == "retval":
			v, err := strconv.ParseUint(val, 0, 64)
			if err != nil {
				n, err2 := strconv.ParseInt(val, 0, 64)
				v, err = uint64(n), err2
			}
			ok = err == nil && !in.hasResult
			in.hasResult, in.result = true, int64(v)
		case key == "signal":
			n, isNumber := number(val, 64)
			if !isNumber {
				n = signalNumber(val)
			}
			ok = n > 0 && in.signal == 0
			in.signal = unix.Signal(n)
		case key == "delay_enter":
			ok = in.delayEnter == 0 && delay(val, &in.delayEnter)
		case key == "delay_exit":
			ok = in.delayExit == 0 && delay(val, &in.delayExit)
		case key == "poke_enter":
			ok = in.pokeEnter == nil && pokes(val, &in.pokeEnter)
		case key == "poke_exit":
			ok = in.pokeExit == nil && pokes(val, &in.pokeExit)
		default:
			ok = false
		}
		if !ok {
			return in, wrong
		}
		acts = true
	}
	calls, err := parseCalls(name)
	if err != nil {
		return in, err
	}
	in.calls = calls
	if !acts {
		if !fault {
			return in, wrong
		}
		in.hasResult, in.isError, in.result = true, true, -int64(unix.ENOSYS)
	}
	return in, nil
}

func (in *injection) errno(val string) bool {
	if n, ok := number(val, 4095); ok {
		in.result = -int64(n)
		return n > 0
	}
	e, ok := sysabi.ErrnoOf(strings.ToUpper(val))
	in.result = -int64(e)
	return ok
}

// when reads F, F+, F+S, F..L, F..L+ and F..L+S.
func (in *injection) when(val string) bool {
	span, step, stepped := strings.Cut(val, "+")
	from, to, ranged := strings.Cut(span, "..")
	var ok bool
	if in.first, ok = number(from, lastCall); !ok || in.first < 1 {
		return false
	}
	in.last, in.step = lastCall, 0
	if ranged {
		if in.last, ok = number(to, lastCall); !ok || in.last < in.first || in.last == lastCall {
			return false
		}
		in.step = 1
	}
	if stepped {
		if in.step = 1; step != "" {
			if in.step, ok = number(step, lastCall); !ok || in.step < 1 {
				return false
			}
		}
	}
	return true
}

// hits says whether the n-th call of a task is meant.
func (in *injection) hits(n int) bool {
	if n < in.first || n > in.last && in.last != lastCall {
		return false
	}
	if in.step == 0 {
		return n == in.first
	}
	return (n-in.first)%in.step == 0
}

// pokes reads @argN=HEX[,@argM=HEX...].
func pokes(text string, list *[]payload) bool {
	const most = 1024 // bytes of one
	for _, w := range strings.Split(text, ",") {
		if w == "" {
			continue
		}
		w, isArg := strings.CutPrefix(w, "@arg")
		n, digits, has := strings.Cut(w, "=")
		data, err := hex.DecodeString(digits)
		if !isArg || !has || len(n) != 1 || n < "1" || n > "7" || err != nil || len(data) == 0 || len(data) > most {
			return false
		}
		one := payload{int(n[0] - '0'), data}
		if slices.ContainsFunc(*list, func(p payload) bool { return p.arg == one.arg }) {
			return false
		}
		*list = append(*list, one)
	}
	return len(*list) > 0
}

func delay(text string, d *time.Duration) bool {
	ns, ok := overhead(text)
	*d = time.Duration(ns)
	return ok
}
