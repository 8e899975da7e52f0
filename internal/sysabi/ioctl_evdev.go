package sysabi

// Input devices (linux/input.h). Many requests hold a length or the number of
// an axis: see evdevPattern.

var (
	inputID  = lazily(func() *cstruct { return structure(u16("bustype"), u16("vendor"), u16("product"), u16("version")) })
	inputAbs = lazily(func() *cstruct {
		return structure(u32("value"), u32("minimum"), abbreviation, u32("maximum"), u32("fuzz"), u32("flat"), u32("resolution"))
	})
	inputKey = lazily(func() *cstruct { return values(u32("scancode"), e32("keycode", setEvdevKeycode)) })
	inputMap = lazily(func() *cstruct {
		return structure(
			u8("flags"), u8("len"), abbreviation, u16("index"), e32("keycode", setEvdevKeycode), x8("scancode").list(32))
	})
	inputPair = lazily(func() *cstruct { return values(u32("delay"), u32("period")) })

	ffEnvelope = lazily(func() *cstruct {
		return structure(u16("attack_length"), u16("attack_level"), u16("fade_length"), x16("fade_level"))
	})
	ffEffect = lazily(func() *cstruct {
		return structure(
			en("type", 2, setEvdevFfTypes), s16("id"), u16("direction"), abbreviation,
			sub("trigger", structure(u16("button"), u16("interval"))), sub("replay", structure(u16("length"), u16("delay"))),
			// The union is aligned for the pointer in it.
			sub("periodic", structure(
				u16("waveform"), u16("period"), s16("magnitude"), s16("offset"), u16("phase"), sub("envelope", ffEnvelope()),
				u32("custom_len"), al("custom_data"))).only(is("type", 0x51)),
			sub("constant", structure(s16("level"), sub("envelope", ffEnvelope()))).overlaid().only(is("type", 0x52)),
			sub("ramp", structure(s16("start_level"), s16("end_level"), sub("envelope", ffEnvelope()))).overlaid().only(is("type", 0x57)),
			sub("rumble", structure(u16("strong_magnitude"), u16("weak_magnitude"))).overlaid().only(is("type", 0x50)))
	})
)

var ioctlsEvdev = lazily(func() []request {
	return []request{
		{names: "EVIOCGVERSION", args: fills(refX32())},
		{names: "EVIOCGEFFECTS", args: fills(refU32())},
		{names: "EVIOCGID", args: fills(inputID())},
		{names: "EVIOCGREP", args: fills(inputPair())},
		{names: "EVIOCSREP", args: gives(inputPair())},
		{names: "EVIOCGKEYCODE", args: fills(inputKey())},
		{names: "EVIOCSKEYCODE", args: gives(inputKey())},
		{names: "EVIOCGKEYCODE_V2", args: fills(inputMap())},
		{names: "EVIOCSKEYCODE_V2", args: gives(inputMap())},
		{names: "EVIOCRMFF", args: ioctlInt()},
		{names: "EVIOCGRAB EVIOCREVOKE", args: ioctlUint()},
		{names: "EVIOCSCLOCKID", args: gives(refU32())},
		{names: "EVIOCSFF", args: gives(ffEffect())},
	}
})

// bitset is bits with names: the result says how many bytes there are, most is
// the highest bit.
func bitset(s *Set, most uint64) *request {
	return &request{args: ioctlWith(shown("argp", out, int(most/8+1), func(p *printer, v *Value) {
		bits := most
		if n := uint64(p.s.Ret); n <= most/8 {
			bits = n * 8
		}
		word := uint64(p.word())
		size := (bits + 8*word - 1) / (8 * word) * word
		if p.nothing() || size == 0 {
			p.ptr(v.Uint)
			return
		}
		if b := p.fetch(v.Uint, int(size)); b != nil {
			p.bits(s, b, int(bits))
		} else {
			p.ptr(v.Uint)
		}
	}))}
}

func (p *printer) bits(s *Set, b []byte, n int) {
	if p.opt.Style != StyleRaw {
		p.str("[")
		shown := 0
		for i := range n {
			if b[i/8]&(1<<(i%8)) == 0 {
				continue
			}
			if shown > 0 {
				p.str(" ")
			}
			if shown > 3 && p.abbreviated() {
				p.str("...")
				break
			}
			p.enum(s, uint64(i))
			shown++
		}
		p.str("]")
	}
	if p.opt.Style == StyleVerbose {
		p.str(" /* ")
		defer p.str(" */")
	}
	if p.opt.Style != StyleAbbrev {
		words := field{show: showX}.several(len(b) / p.word())
		words.show(p, b, b)
	}
}

var (
	evdevBits = lazily(func() map[uint32]*request {
		return map[uint32]*request{ // by the kind of event
			0: bitset(setEvdevEv, 0x1f), 1: bitset(setEvdevKeycode, 0x2ff), 2: bitset(setEvdevRelativeAxes, 0xf),
			3: bitset(setEvdevAbs, 0x3f), 4: bitset(setEvdevMisc, 7), 5: bitset(setEvdevSwitch, 0x11), 0x11: bitset(setEvdevLeds, 0xf),
			0x12: bitset(setEvdevSnd, 7), 0x14: bitset(setEvdevAutorepeat, 1), 0x15: bitset(setEvdevFfTypes, 0x7f),
			0x16: {args: fills(refInt())}, 0x17: bitset(setEvdevFfStatus, 1),
		}
	})
	evdevState = lazily(func() map[uint32]*request {
		return map[uint32]*request{ // by the request
			0x09: bitset(setEvdevProp, 0x1f), 0x18: bitset(setEvdevKeycode, 0x2ff), 0x19: bitset(setEvdevLeds, 0xf),
			0x1a: bitset(setEvdevSnd, 7), 0x1b: bitset(setEvdevSwitch, 0x11),
			0x06: evdevText(), 0x07: evdevText(), 0x08: evdevText(),
		}
	})
	evdevText = lazily(func() *request {
		return &request{args: ioctlWith(shown("argp", out, 1, func(p *printer, v *Value) {
			if p.nothing() {
				p.ptr(v.Uint)
				return
			}
			p.bytesAt(v.Uint, uint64(max(p.s.Ret, 0)))
		}))}
	})
	evdevOther = lazily(func() *request { return &request{args: ioctlPtr()} })
)

func evdevPattern(code uint32) *request {
	nr := iocNr(code)
	switch {
	case iocType(code) != 'E' || iocDir(code) != iocRead && iocDir(code) != iocWrite:
		return nil
	case iocDir(code) == iocWrite && nr >= 0xc0:
		return axis(code, in)
	case iocDir(code) == iocWrite:
		return evdevOther()
	case nr == 0x0a && iocSize(code) >= 4:
		return slots(uint64(iocSize(code)/4 - 1))
	case evdevState()[nr] != nil:
		return evdevState()[nr]
	case nr >= 0x40 && nr < 0x80:
		return axis(code, out)
	case nr >= 0x20 && nr < 0x40 && evdevBits()[nr-0x20] != nil:
		return evdevBits()[nr-0x20]
	}
	return evdevOther()
}

// axis is a struct input_absinfo of as many bytes as the request says: it was
// shorter once.
func axis(code uint32, d dir) *request {
	const short = 20
	size := int(iocSize(code))
	if size < short {
		return evdevOther()
	}
	r := *inputAbs()
	r.size = min(size, inputAbs().size)
	r.size32 = r.size
	if r.size < inputAbs().size {
		r.fields = r.all[:len(r.all)-1]
	}
	return &request{args: ioctlWith(recordArg(&r, d, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, r.size)
		if b == nil || d == out && p.nothing() {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.members(&r, b)
		if !p.abbreviated() && size > short && size != inputAbs().size {
			p.str(", ...")
		}
		p.str("}")
	}))}
}

// slots is EVIOCGMTSLOTS's: a code and n values.
func slots(n uint64) *request {
	return &request{args: fills(structure(e32("code", setEvdevMtslots), tail("values", func(p *printer) {
		p.array(p.here(), n, 4, func(b []byte) { p.int(les(b)) })
	})))}
}
