package owner

import "testing"

func BenchmarkOf(b *testing.B) {
	for name, p := range map[string]string{"hit": "/usr/bin/curl", "scan": "/usr/lib/x86_64-linux-gnu/libc.so.6", "miss": "/usr/bin/no-such-file"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Open("/").Of(p)
			}
		})
	}
}
