package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// colorMode is the value of --color.
type colorMode string

func (m *colorMode) String() string { return string(*m) }

// Set takes auto, always or never.
func (m *colorMode) Set(s string) error {
	switch s {
	case "auto", "always", "never":
		*m = colorMode(s)
		return nil
	}
	return fmt.Errorf("it is auto, always or never")
}

// Type names the value in usage texts.
func (m *colorMode) Type() string { return "auto|always|never" }

// on reports whether to colour what goes to f: never when NO_COLOR is set, by
// itself only on a terminal.
func (m colorMode) on(f *os.File) bool {
	switch {
	case m == "never" || os.Getenv("NO_COLOR") != "":
		return false
	case m == "always":
		return true
	}
	return terminal(f) && os.Getenv("TERM") != "dumb"
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// width is the number of columns of the terminal, 110 elsewhere.
func width(f *os.File) int {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col < 40 {
		return 110
	}
	return min(int(ws.Col), 160)
}

// create opens a report's file; "-" is standard output.
func create(path string) (io.WriteCloser, error) {
	if path == "-" {
		return nopCloser{os.Stdout}, nil
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
