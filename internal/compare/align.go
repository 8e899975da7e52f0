package compare

import "slices"

// anchor is a pair of positions at which two sequences hold the same.
type anchor struct{ a, b int }

// anchors aligns two sequences of tokens: it pairs the first occurrences of what
// both hold and keeps the longest row of pairs that is in order in both (as
// patience diff does with unique lines). Time is n log n, memory linear,
// whatever the sequences hold.
func anchors(a, b []token) []anchor {
	first := make(map[token]int, len(b))
	for i := len(b) - 1; i >= 0; i-- {
		first[b[i]] = i
	}
	var pairs []anchor
	for i, t := range a {
		if j, ok := first[t]; ok {
			pairs = append(pairs, anchor{i, j})
			delete(first, t)
		}
	}
	return longest(pairs)
}

// longest is the longest subsequence of pairs, ascending in a, that ascends in
// b too.
func longest(pairs []anchor) []anchor {
	var tops []int // of the piles: index into pairs
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(tops, p.b, func(top, b int) int { return pairs[top].b - b })
		before[i] = -1
		if n > 0 {
			before[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	if len(tops) == 0 {
		return nil
	}
	out := make([]anchor, len(tops))
	for i, at := len(tops)-1, tops[len(tops)-1]; i >= 0; i-- {
		out[i] = pairs[at]
		at = before[at]
	}
	return out
}

// across is where in b the position i of a would be: behind the last anchor
// before it. At the beginning it is 0.
func across(row []anchor, i int) int {
	n, _ := slices.BinarySearchFunc(row, i, func(x anchor, i int) int { return x.a - i })
	if n == 0 {
		return 0
	}
	return row[n-1].b + 1
}

// turned is the alignment seen from the other side.
func turned(row []anchor) []anchor {
	out := make([]anchor, len(row))
	for i, x := range row {
		out[i] = anchor{x.b, x.a}
	}
	return out
}
