package sysabi

import (
	"testing"

	"culprit/internal/event"
)

var arches = map[string]event.Arch{"x86-64": event.ArchX8664, "i386": event.ArchI386, "arm64": event.ArchAArch64}

// Every number has a signature with named arguments, each name has one row.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, family := range signatures {
		for _, c := range family() {
			if seen[c.Name] {
				t.Errorf("%s has two rows", c.Name)
			}
			seen[c.Name] = true
		}
	}
	for name, arch := range arches {
		used := map[string]bool{}
		for nr := range uint32(1000) {
			c := Lookup(arch, nr)
			if c == nil {
				continue
			}
			used[c.Name] = true
			if len(c.Args) > 0 && &c.Args[0] == &rawArgs[0] {
				t.Errorf("%s: %s (%d) has no signature", name, c.Name, nr)
			}
			if back, ok := Number(arch, c.Name); !ok || back != nr {
				t.Errorf("%s: %s is %d, Number says %d, %v", name, c.Name, nr, back, ok)
			}
			checkArgs(t, name, c, c.Args)
			if c.Class == 0 {
				t.Errorf("%s: %s has no class", name, c.Name)
			}
			if i := c.FD(); i >= 0 && (i >= len(c.Args) || c.Args[i].kind != KindFD) {
				t.Errorf("%s: %s: FD() is %d", name, c.Name, i)
			}
			if c.Data() && c.FD() < 0 {
				t.Errorf("%s: %s transfers data through nothing", name, c.Name)
			}
			if c.vary != nil {
				for v := range uint64(0x100) {
					checkArgs(t, name, c, c.vary(&[6]uint64{v, v, v, v, v, v}))
				}
			}
		}
		for _, c := range variants(arch) {
			if !used[c.Name] {
				t.Errorf("%s: variant %s is no call there", name, c.Name)
			}
		}
		if len(used) < 300 {
			t.Errorf("%s has %d calls", name, len(used))
		}
	}
}

func checkArgs(t *testing.T, arch string, c *Call, args []Arg) {
	t.Helper()
	if len(args) > 6 {
		t.Errorf("%s: %s has %d arguments", arch, c.Name, len(args))
	}
	for i := range args {
		a := &args[i]
		if a.Name == "" || a.register(i) > 5 {
			t.Errorf("%s: %s: argument %d: name %q, register %d", arch, c.Name, i, a.Name, a.register(i))
		}
		if a.kind == KindStruct && (a.st == nil || a.st.size <= 0 || a.st.size32 <= 0) {
			t.Errorf("%s: %s: %s has no layout", arch, c.Name, a.Name)
		}
		if (a.kind == KindFlags || a.kind == KindEnum) && a.set == nil {
			t.Errorf("%s: %s: %s has no names", arch, c.Name, a.Name)
		}
		if (a.n.from == fromArg || a.n.from == fromSizeArg || a.n.from == fromPtr) && a.n.v > 5 {
			t.Errorf("%s: %s: %s takes its length from register %d", arch, c.Name, a.Name, a.n.v)
		}
	}
}
