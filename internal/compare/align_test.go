package compare

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func row(words string) []token {
	var out []token
	for _, w := range strings.Fields(words) {
		out = append(out, token{thing: w})
	}
	return out
}

func TestAnchors(t *testing.T) {
	for _, x := range []struct {
		name, a, b string
		want       []anchor
	}{
		{"the same", "a b c", "a b c", []anchor{{0, 0}, {1, 1}, {2, 2}}},
		{"one more", "a x b", "a b", []anchor{{0, 0}, {2, 1}}},
		{"one less", "a b", "a x b", []anchor{{0, 0}, {1, 2}}},
		{"moved", "a b c d", "b c d a", []anchor{{1, 0}, {2, 1}, {3, 2}}},
		{"nothing in common", "a b", "c d", nil},
		{"empty", "", "a", nil},
		{"repeated", "a r r r b", "a r b", []anchor{{0, 0}, {1, 1}, {4, 2}}},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := anchors(row(x.a), row(x.b))
			if d := cmp.Diff(x.want, got, cmp.AllowUnexported(anchor{})); d != "" {
				t.Error(d)
			}
		})
	}
}

// Anchors hold the same on both sides and ascend, whatever they are made of.
func TestAnchorsAscend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a, b := make([]token, r.IntN(40)), make([]token, r.IntN(40))
		for _, s := range [][]token{a, b} {
			for i := range s {
				s[i].thing = fmt.Sprint(r.IntN(20))
			}
		}
		last := anchor{-1, -1}
		for _, x := range anchors(a, b) {
			if a[x.a] != b[x.b] || x.a <= last.a || x.b <= last.b {
				t.Fatalf("%v after %v in %v, %v", x, last, a, b)
			}
			last = x
		}
	}
}

func TestAcross(t *testing.T) {
	row := []anchor{{0, 2}, {3, 4}}
	for i, want := range []int{0, 3, 3, 3, 5} {
		if got := across(row, i); got != want {
			t.Errorf("position %d is across from %d, want %d", i, got, want)
		}
	}
}
