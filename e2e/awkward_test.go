package e2e

import (
	"os"
	"syscall"
	"testing"

	"culprit/e2e/stage"
	"culprit/internal/testkit"
)

// Programs that get in a recorder's way. Plainly they behave as told here, and
// under culprit the same; what couldn't be seen is said in coverage.
func TestAwkwardPrograms(t *testing.T) {
	tests := []struct {
		name   string
		needs  []string
		setup  func(t *testing.T, s *stage.Stage) stage.Run
		code   int
		signal syscall.Signal
		stdout string
		differ bool   // the kernel itself makes a traced run differ
		covers string // pattern in coverage
	}{
		{
			name: "closes-all-descriptors", needs: []string{"gcc"},
			setup: func(_ *testing.T, s *stage.Stage) stage.Run { return stage.Run{Argv: []string{s.C("closer", closer)}} },
			code:  5,
		}, {
			name: "own-seccomp-filter", needs: []string{"gcc"},
			setup: func(_ *testing.T, s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{s.C("filtered", filtered)}}
			},
			code: 9, stdout: "filter holds\n",
		}, {
			name: "own-seccomp-filter-kills", needs: []string{"gcc"},
			setup: func(_ *testing.T, s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{s.C("filtered", filtered), "die"}}
			},
			signal: syscall.SIGSYS,
		}, {
			name: "not-dumpable-root", needs: []string{"gcc", "root"},
			setup: func(_ *testing.T, s *stage.Stage) stage.Run { return stage.Run{Argv: []string{s.C("hidden", hidden)}} },
			code:  8, stdout: "vault: no configuration\n",
		}, {
			name: "not-dumpable-nobody", needs: []string{"gcc", "root", "setpriv"},
			setup: func(_ *testing.T, s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{s.C("hidden", hidden)}, Prefix: nobody}
			},
			code: 8, stdout: "vault: no configuration\n", covers: `(?i)dumpable`,
		}, {
			// A tracer without privileges makes the kernel ignore the bit, and so
			// does no_new_privs (ptrace(2), prctl(2)).
			name: "set-user-id-nobody", needs: []string{"id", "root", "setpriv"},
			setup: func(t *testing.T, s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{setuid(t, s), "-u"}, Prefix: nobody}
			},
			stdout: "0\n", differ: true, covers: `(?i)set-?(user-?id|uid)`,
		}, {
			name: "set-user-id-root", needs: []string{"id", "root"},
			setup: func(t *testing.T, s *stage.Stage) stage.Run {
				exe := setuid(t, s)
				if err := os.Chown(exe, 65534, 65534); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(exe, 0o755|os.ModeSetuid); err != nil {
					t.Fatal(err)
				}
				return stage.Run{Argv: []string{exe, "-u"}}
			},
			stdout: "65534\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stage.Need(t, tt.needs...)
			s := stage.New(t)
			run := tt.setup(t, s)
			plain := s.Exec(run)
			wantCode := tt.code
			if tt.signal != 0 {
				wantCode = -1
			}
			if plain.Code != wantCode || plain.Signal != tt.signal || plain.Stdout != tt.stdout || plain.Stderr != "" {
				t.Fatalf("plainly: exit status %d, signal %d, stdout %q, stderr %q", plain.Code, plain.Signal, plain.Stdout, plain.Stderr)
			}
			rec := record(t, s, run)
			if !tt.differ {
				same(t, plain, rec.Result)
			}
			if !rec.hasReport {
				t.Fatal("no report")
			}
			if tt.covers != "" {
				cover(t, rec, tt.covers)
			}
		})
	}
}

// setuid makes a set-user-ID root copy of id(1).
func setuid(t *testing.T, s *stage.Stage) string {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.Dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Flags&2 != 0 { // ST_NOSUID, statfs(2)
		testkit.Lack(t, "a directory for temporary files that isn't mounted nosuid")
	}
	b, err := os.ReadFile(stage.Program("id"))
	if err != nil {
		t.Fatal(err)
	}
	exe := s.File("whoever", string(b), 0o755)
	if err := os.Chmod(exe, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	return exe
}
