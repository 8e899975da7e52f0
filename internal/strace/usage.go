package strace

import "errors"

// WantsHelp says that the usage is to be pointed to after the message.
func WantsHelp(err error) bool {
	var h *helpError
	return errors.As(err, &h)
}

// Usage is the text of -h.
const Usage = `Usage: culprit strace [OPTIONS] { -p PID | PROG [ARGS] }

What is traced:
  -p PID[,PID...]     attach to running processes
  -f, -ff             follow children and threads; -ff: a file for each (with -o)
  -E VAR[=VAL]        set or remove a variable of PROG's environment
  -u USER             run PROG as USER, or as UID:GID
  -b execve           detach from a process that calls execve

What is shown:
  -e trace=SET        calls: names, numbers, /regex, %file %desc %network %process
                      %signal %memory %ipc %creds %clock %pure %stat ..., all, none;
                      ! inverts, ? passes over unknown names, @64 @32 choose a table
  -e signal=SET       signals
  -e status=SET, -z, -Z
                      results: successful, failed, unfinished, unavailable, detached
  -P PATH             only calls that touch PATH
  -e fd=SET           only calls that touch these descriptors
  -q, -qq, -qqq, -e quiet=SET
                      leave out: attach, personality, exit, path-resolution, ...
  --syscall-limit=N   stop after N calls

How it looks:
  -o FILE, -o '|CMD', -A
                      write there instead of standard error; -A: append
  -a COLUMN, -s BYTES, -v, -x, -xx, -X raw|abbrev|verbose
  -y, -yy, -e decode-fds=SET
                      what descriptors are
  -Y, --decode-pids=pidns, --always-show-pid
                      names of processes, and their numbers here
  --secontext[=full]  SELinux contexts of processes, descriptors and paths
  -k, -kk, --stack-trace-frame-limit=N
                      the native stack of each call; -kk: with source lines
  -t, -tt, -ttt, -r, -T
                      times
  --color=auto|always|never
                      colours; STRACE_COLORS=syscall=1;33:error=31... has others
  -i, -n              instruction pointer, number of the call
  -e abbrev=SET, verbose=SET, raw=SET, read=SET, write=SET

A table of times: -c, -C, -S COLUMN, -U COLUMNS, -w, -O OVERHEAD
Changing calls:   -e inject=SET:error=E|:retval=N|:signal=S|:delay_enter=T|:delay_exit=T
                               :poke_enter=@argN=HEX|:poke_exit=@argN=HEX[:syscall=C][:when=F..L+S]
                  -e fault=SET[:error=E][:when=...]
Other: -D, -DD, -DDD    trace as a detached process
       --seccomp-bpf    calls that are not shown run at full speed (with -f)
       --kill-on-exit, -I WHEN, -d, -h, -V

Not supported yet: --tips, --namespace, --kvm.
`
