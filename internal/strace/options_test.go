package strace

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "must have PROG [ARGS] or -p PID",
		"-D -p 2":                            "PROG [ARGS] must be specified with -D/--daemonize",
		"-DDDD true":                         "Too many -D's (4), maximum supported -D count is 3",
		"-a -1 true":                         "invalid -a argument: '-1'",
		"--columns=x true":                   "invalid --columns argument: 'x'",
		"-s 4294967296 true":                 "invalid -s argument: '4294967296'",
		"-I 5 true":                          "invalid -I argument: '5'",
		"-X test true":                       "invalid -X argument: 'test'",
		"-c -C true":                         "-c/--summary-only and -C/--summary are mutually exclusive",
		"-ff -c true":                        "(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive",
		"-w true":                            "-w/--summary-wall-clock must be given with (-c/--summary-only or -C/--summary)",
		"-o |cat -ff true":                   "piping the output and -ff/--output-separately are mutually exclusive",
		"-p 0":                               "Invalid process id: '0'",
		"-p 77":                              "I'm sorry, I can't let you do that, Dave.",
		"-b exit true":                       "Syscall 'exit' for -b isn't supported",
		"-S x -c true":                       "invalid sortby: 'x'",
		"-c -U x true":                       "unknown column name: 'x'",
		"-c -U time,time_percent true":       "call summary column has been provided more than once: 'time_percent' (-U option residual: 'time_percent')",
		"-e trace=nosuch true":               "invalid system call 'nosuch'",
		"-e trace= true":                     "invalid system call ''",
		"-e read@16 true":                    "incorrect personality designator '16' in qualification 'read@16'",
		"-e signal=FOO true":                 "invalid signal 'FOO'",
		"-e status=x true":                   "invalid status 'x'",
		"-e read=-1 true":                    "invalid descriptor '-1'",
		"-e inject=read true":                "invalid inject argument 'read'",
		"-e fault=read:error=0 true":         "invalid fault argument 'read:error=0'",
		"-e inject=read:retval=0:when=0 x":   "invalid inject argument 'read:retval=0:when=0'",
		"-e inject=read:retval=0:error=1 x":  "invalid inject argument 'read:retval=0:error=1'",
		"-q -e quiet=exit true":              "-q and -e quiet/--quiet cannot be provided simultaneously",
		"-y --decode-fds=all true":           "-y and --decode-fds cannot be provided simultaneously",
		"-t --absolute-timestamps true":      "-t and --absolute-timestamps cannot be provided simultaneously",
		"--no-such true":                     "unrecognized option '--no-such'",
		"-j true":                            "invalid option -- 'j'",
		"-o":                                 "option requires an argument -- 'o'",
		"--output":                           "option '--output' requires an argument",
		"--help=1":                           "option '--help' doesn't allow an argument",
		"--kill-on-exit -p 3":                "--kill-on-exit and -p/--attach are mutually exclusive options",
		"--tips true":                        "--tips is not supported yet",
		"--stack-trace=lines true":           "invalid --stack-trace argument: 'lines'",
		"--stack-trace-frame-limit=0 true":   "invalid --stack-trace-frame-limit argument: '0'",
		"-e inject=read:poke_enter=@arg8=00": "invalid inject argument 'read:poke_enter=@arg8=00'",
		"-e inject=read:poke_exit=@arg1=0 x": "invalid inject argument 'read:poke_exit=@arg1=0'",
		"-e inject=read:syscall=getpid x":    "invalid inject argument 'read:syscall=getpid'",
	} {
		_, err := Parse(strings.Fields(line), 77)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", line, err, want)
		}
	}
}

func TestParseWarnings(t *testing.T) {
	for line, want := range map[string]string{
		"-A true":             "-A/--output-append-mode has no effect without -o/--output",
		"-z -Z true":          "Only the last of -z/--successful-only/-Z/--failed-only options will take effect. See status qualifier for more complex filters.",
		"-c -tt true":         "-t/--absolute-timestamps has no effect with -c/--summary-only",
		"--seccomp-bpf true":  "--seccomp-bpf cannot be used without -f/--follow-forks, disabling",
		"-F true":             "option -F is deprecated, please use -f/--follow-forks instead",
		"-S calls true":       "-S/--summary-sort-by has no effect without (-c/--summary-only or -C/--summary)",
		"-f -F true":          "deprecated option -F ignored",
		"-c -y true":          "-y/--decode-fds has no effect with -c/--summary-only",
		"--output-sepa true":  "--output-separately has no effect without -o/--output",
		"-f --seccomp -p 2,3": "--seccomp-bpf is not enabled for processes attached with -p",
	} {
		c, err := Parse(strings.Fields(line), 77)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if line == "--output-sepa true" && len(c.Warnings) == 0 {
			continue // without -o the option is taken back before
		}
		if d := cmp.Diff([]string{want}, c.Warnings); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

func TestCalls(t *testing.T) {
	set := func(text string) map[string]bool {
		s, err := parseCalls(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		names := map[string]bool{}
		for _, n := range sysabi.Calls(event.ArchX8664) {
			nr, _ := sysabi.Number(event.ArchX8664, n)
			if s.in(event.ArchX8664, nr) {
				names[n] = true
			}
		}
		return names
	}
	for text, want := range map[string]string{
		"read,write":             "read write",
		"/^p?write(v|64)?$":      "write writev pwrite64 pwritev",
		"%pure":                  "getegid geteuid getgid getpgrp getpid getppid gettid getuid",
		"?nosuch,close":          "close",
		"chdir@64,read@32":       "chdir",
		"%stat":                  "stat",
		"%%stat":                 "stat lstat fstat newfstatat statx",
		"none":                   "",
		"!all":                   "",
		"0":                      "read",
		"%fstat,%statfs,file@32": "fstat newfstatat statx statfs",
	} {
		got := set(text)
		for _, n := range strings.Fields(want) {
			if !got[n] {
				t.Errorf("%s lacks %s", text, n)
			}
			delete(got, n)
		}
		if len(got) > 0 {
			t.Errorf("%s has %v too", text, got)
		}
	}
	for text, wants := range map[string][2]string{
		"%file":    {"openat", "read"},
		"%desc":    {"read", "getpid"},
		"%network": {"connect", "read"},
		"%memory":  {"mmap", "read"},
		"!read":    {"write", "read"},
		"!!read":   {"read", "write"},
		"%process": {"execve", "read"},
		"%signal":  {"rt_sigaction", "read"},
		"%ipc":     {"shmget", "read"},
		"%creds":   {"setuid", "read"},
		"%clock":   {"clock_gettime", "read"},
	} {
		got := set(text)
		if !got[wants[0]] || got[wants[1]] {
			t.Errorf("%s: %s %v, %s %v", text, wants[0], got[wants[0]], wants[1], got[wants[1]])
		}
	}
}

func TestWhen(t *testing.T) {
	for when, want := range map[string][]int{
		"3":      {3},
		"3+":     {3, 4, 5, 6, 7, 8, 9},
		"2+3":    {2, 5, 8},
		"2..5":   {2, 3, 4, 5},
		"2..6+2": {2, 4, 6},
		"1..1":   {1},
	} {
		in, err := parseInjection("read:error=ENOENT:when="+when, false)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		var got []int
		for n := 1; n < 10; n++ {
			if in.hits(n) {
				got = append(got, n)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("when=%s hits %v, want %v", when, got, want)
		}
	}
	for _, when := range []string{"", "0", "+", "1..", "3..2", "1+0", "65536", "-1", "1..65535"} {
		if in, err := parseInjection("read:error=1:when="+when, false); err == nil {
			t.Errorf("when=%s was taken as %+v", when, in)
		}
	}
}

func TestEnvironment(t *testing.T) {
	c := &Config{Env: []string{"A=new", "B", "C=3"}}
	got := c.Environment([]string{"A=1", "B=2", "D=4", "A=again"})
	if d := cmp.Diff([]string{"A=new", "D=4", "C=3"}, got); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"-f -e trace=%file,!read -p 1,2", "--trace=/x(|-s 9 -y", "-c -U time,calls -S name true", "-e inject=read:when=1..3+2:error=EIO x",
		"--absolute-timestamps=format:unix,precision:ns a", "-P / -E A=B -u 1:2 --syscall-t=ms b", "-e signal=!SIGINT,9 -O 1e3ns -c true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		c, err := Parse(args, 1)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if !c.Help && !c.Info && len(c.Command) == 0 && len(c.Attach) == 0 {
			t.Errorf("%q traces nothing", args)
		}
	})
}
