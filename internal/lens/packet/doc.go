// Package packet is the wire lens: the packets of the recorded process tree and
// of nobody else, as the network layer of this machine handles them.
//
// The tree runs in a cgroup of its own, and eBPF programs at that cgroup copy
// what its sockets send and get into a ring; a third one takes from an AF_PACKET
// socket what no socket of the cgroup gets to see, ICMP errors and late RSTs,
// when they are about one of its flows. It needs root (or CAP_BPF, CAP_NET_ADMIN
// and CAP_NET_RAW), a cgroup v2 hierarchy that it may write to, and Linux 5.8. Where there is no such hierarchy, all packets of the
// machine are looked at, and those of flows that the kernel lens tells of are
// kept.
//
// It interprets nothing but what it needs to know whose a packet is.
package packet

//go:generate go tool -modfile=../../../tools/go.mod bpf2go -cc clang-14 -strip llvm-strip-14 -cflags "-O2 -g -Wall -Wno-unused-function -mcpu=v3" -target amd64,arm64 -go-package packet -output-stem bpf -no-global-types bpf bpf/packet.bpf.c
