package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"culprit/internal/lens"
	"culprit/internal/lens/ebpf"
	"culprit/internal/lens/keys"
	"culprit/internal/lens/packet"
	"culprit/internal/lens/ptrace"
	"culprit/internal/lens/python"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "say what this machine allows each lens, and how to allow more",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			for _, l := range []struct {
				what string
				err  error
			}{
				{"kernel lens by seccomp and ptrace", ptrace.New(ptrace.Options{}).Probe()},
				{"kernel lens by eBPF", ebpf.New(ebpf.Options{}).Probe()},
				{"wire lens, packets of the program", packet.New(packet.Options{}).Probe()},
				{"TLS keys read out of programs by eBPF", keys.Probe()},
				{"code lens, Python agent", (&python.Lens{}).Probe()},
			} {
				var u *lens.Unavailable
				switch {
				case l.err == nil:
					fmt.Fprintf(os.Stdout, "yes  %s\n", l.what)
				case errors.As(l.err, &u):
					fmt.Fprintf(os.Stdout, "no   %s: %v\n", l.what, u)
					if u.Remedy != "" {
						fmt.Fprintf(os.Stdout, "     %s\n", u.Remedy)
					}
				default:
					fmt.Fprintf(os.Stdout, "no   %s: %v\n", l.what, l.err)
				}
			}
			for _, tool := range []string{"python3", "tshark"} {
				if path, err := exec.LookPath(tool); err == nil {
					fmt.Fprintf(os.Stdout, "yes  %s: %s\n", tool, path)
				} else {
					fmt.Fprintf(os.Stdout, "no   %s is not in PATH\n", tool)
				}
			}
			return nil
		},
	}
}
