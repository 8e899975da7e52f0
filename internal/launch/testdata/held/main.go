// Command held starts its arguments through launch, lets them run at once, and
// exits with their status: what launch's test runs, since it needs a binary
// with a symbol table and control over what it inherits.
package main

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"culprit/internal/launch"
)

func main() {
	// Handled and ignored here, which must not reach the child.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM, unix.SIGTSTP, unix.SIGTTOU)
	signal.Ignore(unix.SIGUSR2)
	pid, err := launch.Start(os.Args[1], os.Args[1:], os.Environ())
	if err != nil {
		fmt.Println(err)
		os.Exit(99)
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	var id int
	var comm, state string
	fmt.Sscan(string(stat), &id, &comm, &state)
	fmt.Println("held in state", state)
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		fmt.Println(err)
	}
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	if st.Signaled() {
		os.Exit(128 + int(st.Signal()))
	}
	os.Exit(st.ExitStatus())
}
