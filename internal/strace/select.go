package strace

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"

	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// choosePaths is the set of -P: the paths as given and as they resolve.
func (p *printer) choosePaths(list []string) {
	p.paths = map[string]bool{}
	for _, path := range list {
		p.paths[path] = true
		abs, err := filepath.Abs(path)
		if err != nil {
			continue
		}
		real, err := filepath.EvalSymlinks(abs)
		if err != nil || real == path {
			continue
		}
		if !p.cfg.Quiet.in("path-resolution") {
			p.message("Requested path %s resolved into %s", quoted(path), quoted(real))
		}
		p.paths[real] = true
	}
}

// touches says whether a call acts on a chosen path (-P) or descriptor (-e fd=).
func (p *printer) touches(t *tracer.Task) bool {
	if t.Call == nil || t.Call.Class&(sysabi.File|sysabi.Desc|sysabi.Network) == 0 {
		return false
	}
	d := sysabi.Decode(&t.Sys)
	first := 0
	if t.Call.Name == "fsconfig" {
		first = 3 // what is configured doesn't count, what it is configured with does
	}
	for i := first; i < len(d.Args); i++ {
		v := &d.Args[i]
		switch v.Kind {
		case sysabi.KindFD, sysabi.KindDirFD:
			if p.chosenFD(t, v.Int) {
				return true
			}
		case sysabi.KindPath:
			if i == 0 && (t.Call.Name == "symlink" || t.Call.Name == "symlinkat") {
				continue // what the link says names no file by itself
			}
			if v.Captured && !v.Truncated && p.paths[v.Str] {
				return true
			}
		case sysabi.KindFDSet:
			if v.Truncated {
				continue
			}
			for n := range min(int(int32(t.Sys.Args[0])), 8*len(v.Data)) {
				if v.Data[n/8]&(1<<(n%8)) != 0 && p.chosenFD(t, int64(n)) {
					return true
				}
			}
		case sysabi.KindStruct:
			if t.Call.Name != "poll" && t.Call.Name != "ppoll" || i != 0 {
				continue
			}
			for q := v.Data; len(q) >= 8; q = q[8:] { // struct pollfd
				if p.chosenFD(t, int64(int32(binary.LittleEndian.Uint32(q)))) {
					return true
				}
			}
		}
	}
	return false
}

func (p *printer) chosenFD(t *tracer.Task, fd int64) bool {
	if p.cfg.TraceFDs != nil && fd >= 0 && p.cfg.TraceFDs.in(strconv.FormatInt(fd, 10)) {
		return true
	}
	if len(p.paths) == 0 || fd < 0 {
		return false
	}
	path := p.procs.dir(int64(t.TID)) + "/fd/" + strconv.FormatInt(fd, 10)
	link, err := os.Readlink(path)
	if err != nil {
		return false
	}
	name, _ := deleted(link, path)
	return p.paths[name]
}
