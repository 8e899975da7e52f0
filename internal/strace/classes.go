package strace

import (
	"slices"
	"strings"

	"culprit/internal/sysabi"
)

// The small classes of strace(1) that sysabi.Class has no bit for.
var (
	statCalls    = []string{"stat", "stat64", "oldstat"}
	lstatCalls   = []string{"lstat", "lstat64", "oldlstat"}
	fstatCalls   = []string{"fstat", "fstat64", "fstatat64", "newfstatat", "oldfstat", "statx"}
	statLike     = slices.Concat(statCalls, lstatCalls, fstatCalls)
	statfsCalls  = []string{"statfs", "statfs64"}
	fstatfsCalls = []string{"fstatfs", "fstatfs64"}
	statfsLike   = slices.Concat(statfsCalls, fstatfsCalls, []string{"ustat"})
	// pureCalls always succeed and have no arguments.
	pureCalls = []string{
		"getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getpgrp", "getpid", "getppid",
		"gettid", "getuid", "getuid32",
	}
)

// classOf returns what a class's name matches, nil when there is no such class.
func classOf(name string) func(*sysabi.Call) bool {
	bit := func(c sysabi.Class) func(*sysabi.Call) bool {
		return func(k *sysabi.Call) bool { return k.Class&c != 0 }
	}
	list := func(names []string) func(*sysabi.Call) bool {
		return func(k *sysabi.Call) bool { return slices.Contains(names, k.Name) }
	}
	low := strings.ToLower(name)
	switch low {
	case "all":
		return func(*sysabi.Call) bool { return true }
	case "%creds":
		return bit(sysabi.Creds)
	case "%net":
		return bit(sysabi.Network)
	case "%stat":
		return list(statCalls)
	case "%lstat":
		return list(lstatCalls)
	case "%fstat":
		return list(fstatCalls)
	case "%%stat":
		return list(statLike)
	case "%statfs":
		return list(statfsCalls)
	case "%fstatfs":
		return list(fstatfsCalls)
	case "%%statfs":
		return list(statfsLike)
	case "%pure":
		return list(pureCalls)
	case "%clock":
		return bit(sysabi.Clock)
	}
	switch strings.TrimPrefix(low, "%") { // also without the sign, an old form
	case "desc":
		return bit(sysabi.Desc)
	case "file":
		return bit(sysabi.File)
	case "memory":
		return bit(sysabi.Memory)
	case "process":
		return bit(sysabi.Process)
	case "signal":
		return bit(sysabi.Signal)
	case "ipc":
		return bit(sysabi.IPC)
	case "network":
		return bit(sysabi.Network)
	}
	return nil
}
