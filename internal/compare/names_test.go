package compare

import (
	"testing"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

func TestName(t *testing.T) {
	s := newSide(&timeline.Timeline{
		Header: event.Header{Cwd: "/srv/build/job17", Env: []string{"HOME=/home/ann", "TMPDIR=/scratch/t1"}},
		Procs:  []*timeline.Process{{PID: 4711}},
	})
	for in, want := range map[string]string{
		"/srv/build/job17":                ".",
		"/srv/build/job17/conf/app.yml":   "./conf/app.yml",
		"/srv/build/job170/conf":          "/srv/build/job170/conf",
		"/home/ann/.curlrc":               "~/.curlrc",
		"/scratch/t1/tmp.Ab3dEfGh12":      "/tmp/tmp.*",
		"/tmp/tmpk3j_9dzq/x":              "/tmp/tmp*/x",
		"/tmp/sh-thd.Q1w2e3":              "/tmp/sh-thd.*",
		"/tmp/release/notes":              "/tmp/release/notes",
		"/tmp/build-staging":              "/tmp/build-staging",
		"/proc/4711/stat":                 "/proc/*/stat",
		"/proc/1/stat":                    "/proc/1/stat",
		"/var/lib/x/worker-4711.pid":      "/var/lib/x/worker-*.pid",
		"/var/log/2026-11-25T10:11:12.gz": "/var/log/*.gz",
		"/opt/app-2.31/lib":               "/opt/app-2.31/lib",
		"at 0x7f3a5c001000":               "at 0x*",
		"port 8080":                       "port 8080",
	} {
		if got := s.name(in); got != want {
			t.Errorf("%s is called %s, want %s", in, got, want)
		}
	}
}
