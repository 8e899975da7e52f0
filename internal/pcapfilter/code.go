package pcapfilter

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// node is a condition: a test, or what is made of others.
type node struct {
	kind     kind
	a, b     *node
	load     []bpf.RawInstruction // before the test
	jump     uint16               // BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET
	k        uint32
	x        bool // compare with X, not k
	far      bool // its jumps are too long for a conditional one
	position int
}

type kind uint8

const (
	test kind = iota
	both
	either
	negated
	always
	never
)

func and(list ...*node) *node { return join(both, list) }
func or(list ...*node) *node  { return join(either, list) }
func not(n *node) *node       { return &node{kind: negated, a: n} }

func join(k kind, list []*node) *node {
	var out *node
	for _, n := range list {
		switch {
		case n == nil:
		case out == nil:
			out = n
		default:
			out = &node{kind: k, a: out, b: n}
		}
	}
	return out
}

// Sizes of a load, as BPF has them.
const (
	byte1 = unix.BPF_B
	half2 = unix.BPF_H
	word4 = unix.BPF_W
)

func op(code uint16, k uint32) bpf.RawInstruction { return bpf.RawInstruction{Op: code, K: k} }

// absolute is a load from a fixed place.
func absolute(size uint16, at uint32) bpf.RawInstruction {
	return op(unix.BPF_LD|size|unix.BPF_ABS, at)
}

// equal tests what stands at a place, masked unless mask is 0.
func equal(size uint16, at, value, mask uint32) *node {
	load := []bpf.RawInstruction{absolute(size, at)}
	if mask != 0 {
		load = append(load, op(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, mask))
	}
	return &node{load: load, jump: unix.BPF_JEQ, k: value}
}

// leaves gives the tests in the order in which they run.
func (n *node) leaves(yield func(*node)) {
	switch n.kind {
	case test, always, never:
		yield(n)
	case negated:
		n.a.leaves(yield)
	default:
		n.a.leaves(yield)
		n.b.leaves(yield)
	}
}

// first is the test that runs first.
func (n *node) first() *node {
	for n.kind == both || n.kind == either || n.kind == negated {
		n = n.a
	}
	return n
}

// maxProgram is what Linux takes (BPF_MAXINSNS).
const maxProgram = 4096

// assemble makes the program: the tests one behind the other, then what accepts
// and what rejects.
func assemble(n *node, snaplen uint32) ([]bpf.RawInstruction, error) {
	accept, reject := &node{kind: always}, &node{kind: never}
	type ends struct{ yes, no *node }
	to := map[*node]ends{}
	var link func(n, yes, no *node)
	link = func(n, yes, no *node) {
		switch n.kind {
		case both:
			link(n.a, n.b.first(), no)
			link(n.b, yes, no)
		case either:
			link(n.a, yes, n.b.first())
			link(n.b, yes, no)
		case negated:
			link(n.a, no, yes)
		default:
			to[n] = ends{yes, no}
		}
	}
	var order []*node
	if n != nil {
		link(n, accept, reject)
		n.leaves(func(l *node) { order = append(order, l) })
	}
	order = append(order, accept, reject)
	size := func(l *node) int {
		switch {
		case l == accept || l == reject || l.kind != test:
			return 1
		case l.far:
			return len(l.load) + 3
		}
		return len(l.load) + 1
	}
	for again := true; again; {
		again = false
		at := 0
		for _, l := range order {
			l.position = at
			at += size(l)
		}
		if at > maxProgram {
			return nil, fmt.Errorf("the filter needs %d instructions, the kernel takes %d", at, maxProgram)
		}
		for _, l := range order[:len(order)-2] {
			next := l.position + size(l)
			if e := to[l]; l.kind == test && !l.far && (e.yes.position-next > 255 || e.no.position-next > 255) {
				l.far, again = true, true
			}
		}
	}
	var out []bpf.RawInstruction
	for _, l := range order {
		e := to[l]
		jump := func(target *node) bpf.RawInstruction {
			return op(unix.BPF_JMP|unix.BPF_JA, uint32(target.position-len(out)-1))
		}
		switch {
		case l == accept:
			out = append(out, op(unix.BPF_RET|unix.BPF_K, snaplen))
		case l == reject:
			out = append(out, op(unix.BPF_RET|unix.BPF_K, 0))
		case l.kind == always:
			out = append(out, jump(e.yes))
		case l.kind == never:
			out = append(out, jump(e.no))
		default:
			out = append(out, l.load...)
			j := op(unix.BPF_JMP|l.jump|unix.BPF_K, l.k)
			if l.x {
				j.Op = unix.BPF_JMP | l.jump | unix.BPF_X
			}
			if l.far {
				j.Jf = 1
				out = append(out, j)
				out = append(out, jump(e.yes))
				out = append(out, jump(e.no))
				continue
			}
			j.Jt, j.Jf = uint8(e.yes.position-len(out)-1), uint8(e.no.position-len(out)-1)
			out = append(out, j)
		}
	}
	return out, nil
}
