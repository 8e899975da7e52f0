package explain

import (
	"testing"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// Who is to blame: not who only did what it was told.
func TestOrigin(t *testing.T) {
	const app, libc = "/opt/app", "/usr/lib/x86_64-linux-gnu/libc.so.6"
	for _, c := range []struct {
		name   string
		frames [][2]string // object and symbol, innermost first
		want   int
	}{
		{"own code", [][2]string{{app, "parse"}, {app, "main"}}, 0},
		{"libc with a bad pointer", [][2]string{{libc, "__strlen_avx2"}, {app, "parse"}}, 1},
		{"older libc", [][2]string{{"/lib/libc-2.31.so", ""}, {app, "parse"}}, 1},
		{"abort", [][2]string{{libc, "__pthread_kill_implementation"}, {libc, "raise"}, {libc, "abort"}, {app, "check"}}, 3},
		{"uncaught exception", [][2]string{{libc, "abort"}, {"/usr/lib/libstdc++.so.6.0.30", "__cxa_throw"}, {app, "check"}}, 2},
		{"static program", [][2]string{{app, "__pthread_kill_implementation"}, {app, "raise"}, {app, "abort"}, {app, "__assert_fail"}, {app, "check"}}, 4},
		{"library of a like name", [][2]string{{"/usr/lib/libcurl.so.4", "curl_easy_perform"}, {app, "get"}}, 0},
		{"signal frame", [][2]string{{libc, "raise"}, {"[vdso]", "__kernel_vgettimeofday"}, {app, "now"}}, 2},
		{"code made at run time", [][2]string{{"", ""}, {app, "call"}}, 1},
		{"libc alone", [][2]string{{libc, "abort"}, {libc, "start_thread"}}, 0},
	} {
		var frames []timeline.NativeFrame
		for _, f := range c.frames {
			frames = append(frames, timeline.NativeFrame{NativeFrame: event.NativeFrame{Object: f[0], Symbol: f[1]}})
		}
		if got := origin(frames); got != c.want {
			t.Errorf("%s: frame %d, want %d", c.name, got, c.want)
		}
	}
}
