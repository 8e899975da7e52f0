package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"culprit/internal/demo"
)

// demoClient is the hidden command that runs the built-in client where there is
// no python3.
const demoClient = "__demo-client"

func demoCommand() *cobra.Command {
	f := runFlags{color: "auto", backend: "auto"}
	c := &cobra.Command{
		Use:   "demo",
		Short: "the story on loopback: an upload that fails, and why",
		Long: `Starts a TLS server inside culprit that refuses large uploads, runs a small Python
client that hides the refusal behind "Broken pipe", and explains it. It needs no
network, no root and no package; without a python3 a built-in client takes its
part.

Exit status: 0 when the demo ran, 1 when it could not.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error { return runDemo(c.Context(), f) },
	}
	c.Flags().StringVar(&f.report, "report", "", "write the report as JSON to `FILE`")
	c.Flags().StringVarP(&f.out, "output", "o", "", "save the case as `CASE`")
	c.Flags().Var(&f.color, "color", "colour the verdict: auto, always or never")
	return c
}

func runDemo(ctx context.Context, f runFlags) error {
	dir, err := os.MkdirTemp("", "culprit-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := demo.Start(ctx, demo.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer server.Close()
	files, err := demo.Files(filepath.Join(dir, "client"))
	if err != nil {
		return err
	}
	python, err := exec.LookPath("python3")
	var argv, env []string
	if err == nil {
		argv, env = files.Command(python, server)
	} else {
		fmt.Fprintln(os.Stderr, "culprit: there is no python3 here: the built-in client takes its part, and the code lens sees nothing")
		argv = []string{"/proc/self/exe", demoClient, server.URL, server.CAFile, files.Cast}
		if self, err := os.Executable(); err == nil {
			argv[0] = self
		}
	}
	if f.out == "" {
		f.out = "demo.pcapng"
	}
	fmt.Fprintf(os.Stderr, "$ culprit run -- %s upload demo.cast        (to a server on loopback that takes 5 MiB at most)\n", filepath.Base(files.Script))
	err = run(argv, env, f)
	if e := (*exitError)(nil); errors.As(err, &e) && e.err == nil {
		return nil // the client failed, as it should
	}
	return err
}

// runDemoClient is the built-in client: URL CA CAST.
func runDemoClient(args []string) int {
	if len(args) != 3 {
		return 2
	}
	var keys *os.File
	if path := os.Getenv("SSLKEYLOGFILE"); path != "" {
		if k, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			keys = k
			defer k.Close()
		}
	}
	var err error
	if keys != nil {
		err = demo.Client(context.Background(), args[0], args[1], args[2], keys)
	} else {
		err = demo.Client(context.Background(), args[0], args[1], args[2], nil)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "upload failed: %v\nretry later by running: upload-demo upload demo.cast\n", err)
		return 1
	}
	return 0
}
