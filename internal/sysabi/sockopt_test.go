package sysabi

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// Every option with a value of its own, given and got: short, as long as it is,
// longer.
func TestSockopts(t *testing.T) {
	data := make([]byte, 320)
	for i := range data {
		data[i] = byte(i + 1)
	}
	var lines []string
	call := func(name string, key optionKey, n int) {
		m := newMemory()
		m.put(0x1000, data)
		m.put(0x2000, binary.LittleEndian.AppendUint32(nil, uint32(n)))
		args := []uint64{3, uint64(key.level), uint64(key.name), 0x1000, uint64(uint32(n))}
		if name == "getsockopt" {
			args[4] = 0x2000
		}
		d := Decode(record(t, m, testLimits, 0, name, args...))
		lines = append(lines, string(d.Append(nil, Options{})))
	}
	for key, o := range options() {
		sizes := []int{-1, 0, 3, 4, 8, 12, 16, 320}
		if fixed(o.set) || fixed(o.get) {
			sizes = sizes[2:5] // a number
		}
		for _, n := range sizes {
			if o.set != nil {
				call("setsockopt", key, n)
			}
			if o.get != nil {
				call("getsockopt", key, n)
			}
		}
	}
	for level := range sockLevels() { // options without one, and those that nobody knows
		call("setsockopt", optionKey{level, 9999}, 4)
		call("getsockopt", optionKey{level, 9999}, 5)
	}
	call("setsockopt", optionKey{9999, 9999}, 4)
	slices.Sort(lines)
	golden(t, "sockopts.golden", slices.Compact(lines))
}

// Addresses of every family, whole, cut, and with the numbers of names.
func TestSockaddrs(t *testing.T) {
	var lines []string
	add := func(b []byte) {
		for _, style := range []Style{StyleAbbrev, StyleVerbose} {
			p := testPrinter(style)
			p.sockaddr(DecodeSockaddr(b))
			lines = append(lines, fmt.Sprintf("%3d %s", len(b), p.b))
		}
	}
	b := make([]byte, 128)
	for family := range 47 {
		for i := range b {
			b[i] = byte(i)
		}
		binary.LittleEndian.PutUint16(b, uint16(family))
		least := sockaddrs()[uint16(family)].least
		for _, n := range []int{2, least, least - 1, 28, 128} {
			if n >= 2 {
				add(b[:n])
			}
		}
	}
	for n := 3; n < 16; n++ { // the size says which protocol of Bluetooth it is
		binary.LittleEndian.PutUint16(b, AFBluetooth)
		add(b[:n])
	}
	for _, s := range []string{"\x01\x00/run/x", "\x01\x00\x00abstract\x00", "\x03\x00\x9e\x86\x64\x60\x62\x40\x02\x00\x00\x00\x00\x00\x00\x00"} {
		add([]byte(s))
	}
	golden(t, "sockaddrs.golden", slices.Compact(lines))
}

// Ancillary data of every type that is known.
func TestControl(t *testing.T) {
	var lines []string
	for key := range cmsgs() {
		for _, n := range []int{0, 1, 4, 12, 16, 48} {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(i + 1)
			}
			le := binary.LittleEndian
			b := le.AppendUint64(nil, uint64(16+n))
			b = append(le.AppendUint32(le.AppendUint32(b, key.level), key.typ), data...)
			m := newMemory()
			m.words(0x1000, 0, 0, 0, 0, 0x2000, uint64(len(b)), 0)
			m.put(0x2000, b)
			lines = append(lines, Decode(record(t, m, testLimits, -9, "sendmsg", 3, 0x1000)).String())
		}
	}
	slices.Sort(lines)
	golden(t, "control.golden", lines)
}
