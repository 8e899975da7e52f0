package main

import (
	"errors"
	"io/fs"
	"syscall"

	"culprit/internal/casefile"
	"culprit/internal/lens"
	"culprit/internal/record"
)

// hints proposes what to do about an error. All advice to people about
// culprit's own failures is here.
func hints(err error) []string {
	var out []string
	var unavailable *lens.Unavailable
	var attach *record.AttachError
	switch {
	case errors.As(err, &attach):
		if attach.Remedy != "" {
			out = append(out, attach.Remedy)
		}
	case errors.As(err, &unavailable):
		if unavailable.Remedy != "" {
			out = append(out, unavailable.Remedy)
		}
		out = append(out, "`culprit doctor` shows what this machine allows")
	case errors.Is(err, casefile.ErrNotACase):
		out = append(out, "a case is what `culprit run` saves; `culprit run -o FILE -- CMD` chooses its name", "a capture is pcap or pcapng, also compressed by gzip or zstd")
	case errors.Is(err, casefile.ErrNewer):
		out = append(out, "open it with a newer culprit")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		out = append(out, "choose a place where you may write: -o FILE")
	case errors.Is(err, fs.ErrNotExist):
		out = append(out, "check the path; `culprit run` prints where it saved the case")
	}
	return out
}
