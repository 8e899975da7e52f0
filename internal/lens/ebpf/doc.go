// Package ebpf is the kernel lens that hardly slows the program: BPF programs
// on the kernel's own tracepoints copy each call's registers and memory into a
// ring, and one goroutine of ours reads it every few milliseconds. No event
// wakes anybody or waits for us; what doesn't fit into the ring is counted.
//
// The process tree is followed inside the kernel from the target's first call
// on. The records are those of the ptrace recorder (internal/lens/ptrace), and
// the memory is copied by the same table of signatures (internal/sysabi), which
// is handed to the kernel as data. It needs root or CAP_BPF with CAP_PERFMON,
// BTF, and Linux 5.8. It interprets nothing, and it can't change a call.
package ebpf

//go:generate go tool -modfile=../../../tools/go.mod bpf2go -cc clang-14 -strip llvm-strip-14 -cflags "-O2 -g -Wall -Wno-unused-function -mcpu=v3" -target amd64,arm64 -go-package ebpf -output-stem bpf -no-global-types bpf bpf/lens.bpf.c
