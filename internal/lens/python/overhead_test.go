package python

import (
	"strconv"
	"strings"
	"testing"
)

// BenchmarkOverhead reports how much slower a workload is with the agent: the
// ratio of the least CPU times of runs taken in turn.
func BenchmarkOverhead(b *testing.B) {
	for name, py := range interpreters(b) {
		for _, work := range []string{"calls", "exc", "mixed", "import"} {
			b.Run(name+"/"+work, func(b *testing.B) {
				dir := b.TempDir()
				env := baseEnv()
				added, err := Prepare(dir, env)
				if err != nil {
					b.Fatal(err)
				}
				with := append(env[:len(env):len(env)], added...)
				var least [2]float64
				seconds := func(env []string) float64 {
					v, err := strconv.ParseFloat(strings.TrimSpace(launch(b, "", env, py, script("bench.py"), work).Stdout), 64)
					if err != nil {
						b.Fatal(err)
					}
					return v
				}
				for b.Loop() {
					for i, e := range [][]string{env, with} {
						if v := seconds(e); least[i] == 0 || v < least[i] {
							least[i] = v
						}
					}
				}
				b.ReportMetric(least[1]/least[0], "x")
			})
		}
	}
}
