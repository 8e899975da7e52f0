package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"culprit/internal/owner"
)

func ownerCommand() *cobra.Command {
	var root string
	var info, list, asJSON bool
	c := &cobra.Command{
		Use:   "owner PATH|COMMAND|PACKAGE...",
		Short: "say which package a file belongs to, its version and its files",
		Long: `Does the job of dpkg -S, rpm -qf, apk info -W and pacman -Qo, and of their
counterparts for Python, npm and Go, by reading the packages' own databases. What
has a slash is a path; else a command of PATH; else a package.

Exit status: 0, or 1 when one of the names belongs to no package.`,
		Example: "  culprit owner curl\n  culprit owner -l /usr/bin/curl\n  culprit owner --root /mnt/image /bin/sh",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("`%s` wants a path, a command or a package: see `%s --help`", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(root); err != nil {
				return fmt.Errorf("look below the root directory: %w", err)
			}
			db := owner.Open(root)
			var failed error
			for _, name := range args {
				o, ok := lookUp(db, root, name)
				if !ok {
					failed = &exitError{code: 1}
					why := "belongs to no installed package"
					if _, err := os.Lstat(filepath.Join(root, o.Path)); o.Path != "" && errors.Is(err, os.ErrNotExist) {
						why = "does not exist, and no installed package had it"
					}
					fmt.Fprintf(os.Stderr, "culprit: %s %s\n", cmp.Or(o.Path, name), why)
					continue
				}
				// A system package may have the name of a Python distribution.
				i, system := db.Info(o.Package)
				if system = system && i.Kind == o.Kind; system && info {
					o.Summary, o.Source, o.URL, o.Maintainer = i.Summary, i.Source, i.URL, i.Maintainer
				}
				if list && system {
					o.Files, _ = db.Files(o.Package)
				} else if list {
					failed = &exitError{code: 1}
					fmt.Fprintf(os.Stderr, "culprit: the files of %s (%s) can't be listed: that is known of dpkg, rpm, apk and pacman\n", o.Package, o.Kind)
					continue
				}
				if asJSON {
					if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
						return err
					}
				} else if list {
					fmt.Println(strings.Join(o.Files, "\n"))
				} else {
					fmt.Print(o)
				}
			}
			for _, err := range db.Problems() {
				fmt.Fprintln(os.Stderr, "culprit: "+err.Error())
			}
			return failed
		},
	}
	c.Flags().StringVar(&root, "root", "/", "directory below which to look: an unpacked image or a mounted disk")
	c.Flags().BoolVarP(&info, "info", "i", false, "what the package says of itself")
	c.Flags().BoolVarP(&list, "list", "l", false, "the package's files")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return c
}

// owned is what is told of one name. What is not known or was not asked for is
// empty.
type owned struct {
	Name       string   `json:"name"`
	Path       string   `json:"path,omitempty"`
	Kind       string   `json:"kind"`
	Package    string   `json:"package"`
	Version    string   `json:"version"`
	Arch       string   `json:"arch,omitempty"`
	Summary    string   `json:"summary,omitempty"`
	Source     string   `json:"source,omitempty"`
	URL        string   `json:"url,omitempty"`
	Maintainer string   `json:"maintainer,omitempty"`
	Files      []string `json:"files,omitempty"`
}

func (o owned) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s\n", cmp.Or(o.Path, o.Name), strings.Join(strings.Fields(o.Package+" "+o.Version+" "+o.Arch+" ("+o.Kind+")"), " "))
	for _, l := range [][2]string{{"summary", o.Summary}, {"source", o.Source}, {"url", o.URL}, {"maintainer", o.Maintainer}} {
		if l[1] != "" {
			fmt.Fprintf(&s, "  %-10s  %s\n", l[0], l[1])
		}
	}
	return s.String()
}

func lookUp(db *owner.DB, root, name string) (owned, bool) {
	o := owned{Name: name, Path: name}
	switch {
	case strings.Contains(name, "/"):
		if root == "/" {
			if abs, err := filepath.Abs(name); err == nil {
				o.Path = abs
			}
		}
	case root == "/":
		// A command of the current directory counts too: it is looked at, not run.
		path, err := exec.LookPath(name)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			path = ""
		}
		o.Path = path
	default:
		o.Path = ""
		for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
			if _, err := os.Lstat(filepath.Join(root, dir, name)); err == nil {
				o.Path = filepath.Join(dir, name)
				break
			}
		}
	}
	var found owner.Owner
	var ok bool
	if o.Path != "" {
		found, ok = db.Of(o.Path)
	} else {
		var i owner.Info
		i, ok = db.Info(name)
		found = i.Owner
	}
	o.Kind, o.Package, o.Version, o.Arch = found.Kind, found.Package, found.Version, found.Arch
	return o, ok
}
