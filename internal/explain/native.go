package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/timeline"
)

// messenger matches files whose functions only carry out what their caller
// wanted: a bad pointer that libc follows, an abort that it makes, isn't its own.
var messenger = pattern(`^(libc|libc-[\d.]+|libpthread|libpthread-[\d.]+|ld-linux.*|ld-musl.*|libstdc\+\+|libgcc_s|libc\+\+|libc\+\+abi)\.so(\.|$)|^\[vdso\]$`)

// giving matches functions of that kind where libc is a part of the program.
var giving = pattern(`^_*(GI_)*(raise|gsignal|abort|kill|tgkill|pthread_kill(_.*)?|assert_fail(_base)?|assert_perror_fail|libc_message(_.*)?|fortify_fail|stack_chk_fail|chk_fail)$`)

// origin is the index of the innermost frame that is not a messenger's, 0 when
// all are.
func origin(frames []timeline.NativeFrame) int {
	for i := range frames {
		if f := &frames[i]; f.Object != "" && !messenger().MatchString(path.Base(f.Object)) && !giving().MatchString(f.Symbol) {
			return i
		}
	}
	return 0
}

// shownFrames is how many frames of a native stack the proof has.
const shownFrames = 4

// stood adds to a crash where it was, and returns whose code that is: a package,
// or a file. asked says that the process sent the signal to itself: the frames
// that did so are left out.
func (c *Case) stood(f *Finding, asked bool) (whose string) {
	whose = f.Proc.Name()
	n := f.Proc.Crash()
	if n == nil || len(n.Frames) == 0 {
		return whose
	}
	frames, more := n.Frames, n.More
	if i := slices.IndexFunc(frames, func(f timeline.NativeFrame) bool { return f.Symbol == "main" }); i >= 0 {
		frames, more = frames[:i+1], false // what calls main is the same in all programs
	}
	at := origin(frames)
	from := at
	if !asked {
		from = max(0, at-shownFrames+2) // what it called, as far as there is room
	}
	to := min(len(frames), from+shownFrames)
	f.Evidence = append(f.Evidence, Evidence{"kernel", n.Time, "in " + timeline.Trail(frames[from:to], more || to < len(frames))})

	blamed := &frames[at]
	f.Where = fmt.Sprintf("at %#x", blamed.Addr)
	if blamed.Function != "" {
		f.Where = "in " + blamed.Function
		f.Facts = append(f.Facts, Fact{"function", blamed.Function})
	}
	if blamed.Object == "" {
		return whose
	}
	f.Where += " of " + blamed.Object
	if blamed.Object != f.Proc.Exe {
		whose = path.Base(blamed.Object)
	}
	f.Facts = append(f.Facts, Fact{"module", blamed.Object}, Fact{"address", fmt.Sprintf("%#x", blamed.Addr)})
	if blamed.Build != "" {
		f.Facts = append(f.Facts, Fact{"build_id", blamed.Build})
	}
	if o := c.T.Owners[blamed.Object]; o != nil {
		pkg := fmt.Sprintf("%s %s (%s)", o.Package, o.Version, o.Manager)
		f.Facts = append(f.Facts, Fact{"package", pkg})
		f.Where += ", package " + pkg
		whose = o.Package
	}
	if callers := calling(frames[at+1:]); callers != "" {
		f.Where += ", called from " + callers
	}
	if py, ok := timeline.Own(n.Python); ok {
		f.Where += "; Python was at " + frameOf(py)
	}
	if strings.HasPrefix(blamed.Object, "/") {
		f.Next = append(f.Next, fmt.Sprintf("`addr2line -Cfie %s %#x` names the line of the source, with debugging information", blamed.Object, blamed.Addr))
	}
	return whose
}

// calling names the first two functions of the frames that are known.
func calling(frames []timeline.NativeFrame) string {
	var names []string
	for i := range frames {
		if len(names) == 2 || frames[i].Function == "" || messenger().MatchString(path.Base(frames[i].Object)) {
			break
		}
		names = append(names, frames[i].Function)
	}
	return strings.Join(names, ", ")
}
