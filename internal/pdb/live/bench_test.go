package live

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const calls = `
import time
def never():
    return 0
class Node:
    def value(self, n):
        return n + 1
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def work():
    node, total = Node(), 0
    for i in range(20000):
        total = node.value(total)
    return total + fib(18)
began = time.process_time()
work()
took = time.process_time() - began
done = 1
`

// BenchmarkNeverHit reports how many times longer a program full of calls takes
// with one breakpoint in its file that it never comes to: with culprit's pdb,
// and with the standard library's.
func BenchmarkNeverHit(b *testing.B) {
	for name, py := range interpreters(b) {
		b.Run(name, func(b *testing.B) {
			dir := program(b, calls)
			const commands = "b 4\ntbreak 18\nc\np 'took', took\nq\n"
			seconds := func(text string) float64 {
				_, rest, _ := strings.Cut(text, "('took', ")
				v, err := strconv.ParseFloat(strings.SplitN(rest, ")", 2)[0], 64)
				if err != nil {
					b.Fatalf("%v in\n%s", err, text)
				}
				return v
			}
			var least [3]float64
			for b.Loop() {
				plain := exec.Command(py, "-c", calls+"print(('took', took))")
				bare, err := plain.Output()
				if err != nil {
					b.Fatal(err)
				}
				classic := exec.Command(py, "-m", "pdb", "prog.py")
				classic.Dir, classic.Env, classic.Stdin = dir, environment(dir), bytes.NewBufferString(commands)
				theirs, err := classic.Output()
				if err != nil {
					b.Fatal(err)
				}
				ours := debug(b, dir, "", commands, nil, py, "prog.py")
				for i, text := range []string{string(bare), string(theirs), ours.Pdb} {
					if v := seconds(text); least[i] == 0 || v < least[i] {
						least[i] = v
					}
				}
			}
			b.ReportMetric(least[1]/least[0], "pdb-x")
			b.ReportMetric(least[2]/least[0], "culprit-x")
			b.ReportMetric(0, "ns/op")
		})
	}
}
