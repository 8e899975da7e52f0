package sysabi

import "culprit/internal/event"

// Consoles and keyboards: ioctl_console(2), linux/kd.h.

const pitTickRate = 1193182 // the timer's frequency in Hz, of which tones are made

var (
	kdKeycode = lazily(func() *cstruct { return structure(x32("scancode"), x32("keycode")) })
	kdRepeat  = lazily(func() *cstruct { return structure(s32("delay"), s32("period")) })
	kdMapInit = lazily(func() *cstruct {
		return structure(u16("advised_hashsize"), u16("advised_hashstep"), u16("advised_hashlevel"))
	})
	kdAccent  = lazily(func() *cstruct { return structure(character("diacr"), character("base"), character("result")) })
	kdAccents = lazily(func() *cstruct {
		return structure(u32("kb_cnt"), tail("kbdiacr", func(p *printer) { p.accents(kdAccent()) }))
	})
	kdUnicode = lazily(func() *cstruct {
		return structure(u32("kb_cnt"), tail("kbdiacruc", func(p *printer) {
			p.accents(structure(x32("diacr"), x32("base"), x32("result")))
		}))
	})
	kdFont = lazily(func() *cstruct {
		return structure(
			u16("charcount"), u16("charheight"), al("chardata").shows(func(p *printer) {
				p.hexAt(p.get("chardata"), min(p.get("charcount"), 512)*32)
			}))
	})
	kdMap = lazily(func() *cstruct { return structure(u16("entry_ct"), al("entries")) })
)

func character(name string) field {
	return part(name, 1, func(p *printer, b, _ []byte) { p.char(b[0], true) })
}

// accents prints up to 256 of them, which is what the kernel has room for.
func (p *printer) accents(r *cstruct) {
	const most = 256
	n := p.get("kb_cnt")
	p.records(r, p.here(), min(n, most), 0)
	if n > most && p.b[len(p.b)-1] == ']' {
		if end := len(p.b); end < 6 || string(p.b[end-6:]) != ", ...]" {
			p.b = p.b[:end-1]
			p.str(", ...]")
		}
	}
}

var ioctlsKD = lazily(func() []request {
	return []request{
		{names: "KDGETLED", args: fills(values(fl("v", 1, setKDLedFlags)))},
		{names: "KDGKBLED", args: fills(values(fl("v", 1, setKDDefaultLedFlags)))},
		{names: "KDSETLED", args: ioctlWith(argShown("argp", func(p *printer, v uint64) { p.flags(setKDLedFlags, v&0xff) }))},
		{names: "KDSKBLED", args: ioctlWith(argShown("argp", func(p *printer, v uint64) { p.flags(setKDDefaultLedFlags, v&0xff) }))},
		{names: "KIOCSOUND", args: ioctlWith(argShown("argp", func(p *printer, v uint64) {
			p.uint(v)
			p.tone(pitTickRate, v, func(hz uint64) {
				p.uint(hz)
				p.str(" Hz")
			})
		}))},
		{names: "KDMKTONE", args: ioctlWith(argShown("argp", makeTone))},
		{names: "KDGKBTYPE", args: fills(values(en("v", 1, setKDKbdTypes)))},
		{names: "KDADDIO KDDELIO", args: ioctlWith(argShown("argp", ioPort))},
		{names: "KDSETMODE", args: ioctlWith(enum("argp", setKDModes))},
		{names: "KDGETMODE", args: fills(refEnum(setKDModes))},
		{names: "GIO_SCRNMAP", args: fillsText(256, (*printer).hexAt)},
		{names: "PIO_SCRNMAP", args: givesText(256, (*printer).hexAt)},
		{names: "GIO_UNISCRNMAP", args: fillsText(512, screenMap)},
		{names: "PIO_UNISCRNMAP", args: givesText(512, screenMap)},
		{names: "KDGKBMODE", args: fills(values(signed("v", 4, setKDKbdModes)))},
		{names: "KDSKBMODE", args: ioctlWith(argShown("argp", func(p *printer, v uint64) {
			p.enumDecimal(setKDKbdModes, uint64(int64(int32(v))), true)
		}))},
		{names: "KDGKBENT", args: keyEntry(true)},
		{names: "KDSKBENT", args: keyEntry(false)},
		{names: "KDGKBSENT", args: keyString(true)},
		{names: "KDSKBSENT", args: keyString(false)},
		{names: "KDGKBDIACR", args: fills(kdAccents())},
		{names: "KDSKBDIACR", args: gives(kdAccents())},
		{names: "KDGKBDIACRUC", args: fills(kdUnicode())},
		{names: "KDSKBDIACRUC", args: gives(kdUnicode())},
		{names: "KDGETKEYCODE", args: completes(kdKeycode(), "scancode keycode", "=keycode")},
		{names: "KDSETKEYCODE", args: gives(kdKeycode())},
		{names: "KDSIGACCEPT", args: ioctlWith(argShown("argp", func(p *printer, v uint64) {
			if v < 1<<31-1 {
				p.signal(int64(v))
			} else {
				p.uint(v)
			}
		}))},
		{names: "KDKBDREP", args: turns(kdRepeat(), kdRepeat())},
		{names: "GIO_FONT", args: fillsText(8192, (*printer).hexAt)},
		{names: "PIO_FONT", args: givesText(8192, (*printer).hexAt)},
		{names: "KDGKBMETA", args: fills(refEnum(setKDMetaVals))},
		{names: "KDSKBMETA", args: ioctlWith(enum("argp", setKDMetaVals))},
		{names: "PIO_UNIMAPCLR", args: gives(kdMapInit())},
		{names: "GIO_CMAP", args: fillsText(48, (*printer).hexAt)},
		{names: "PIO_CMAP", args: givesText(48, (*printer).hexAt)},
		{names: "KDENABIO KDDISABIO KDMAPDISP KDUNMAPDISP PIO_FONTRESET", args: ioctlNone()},
		{names: "GIO_UNIMAP", args: unicodeMap(true)},
		{names: "PIO_UNIMAP", args: unicodeMap(false)},
		{names: "GIO_FONTX", args: turns(structure(u16("charcount"), u16("charheight"), al("chardata")), kdFont())},
		{names: "PIO_FONTX", args: gives(kdFont())},
		{names: "KDFONTOP", args: fontOp()},
	}
})

// argShown is an argument that is a value, which show prints.
func argShown(name string, show func(p *printer, v uint64)) Arg {
	return Arg{Name: name, kind: KindHex, show: func(p *printer, v *Value) { show(p, v.Uint) }}
}

// tone remarks a frequency, off without one.
func (p *printer) tone(rate, divisor uint64, on func(hz uint64)) {
	if p.opt.Style == StyleRaw {
		return
	}
	p.str(" /* ")
	defer p.str(" */")
	hz := uint64(0)
	if divisor != 0 {
		hz = uint64(uint32(rate / divisor))
	}
	if hz == 0 {
		p.str("off")
		return
	}
	on(hz)
}

func makeTone(p *printer, v uint64) {
	ms, divisor := v>>16&0xffff, v&0xffff
	if ms != 0 {
		p.uint(ms)
		p.str("<<16|")
	}
	p.uint(divisor)
	if ms == 0 {
		divisor = 0
	}
	p.tone(pitTickRate, divisor, func(hz uint64) {
		p.uint(hz)
		p.str(" Hz, ")
		p.uint(ms)
		p.str(" ms")
	})
}

func ioPort(p *printer, v uint64) {
	const first, last = 0x3b4, 0x3df
	p.hex(v)
	if v >= first && v <= last && p.opt.Style != StyleRaw {
		p.str(" /* GPFIRST + ")
		p.uint(v - first)
		p.str(" */")
	}
}

// screenMap prints the glyphs of 256 characters; those of the font itself begin
// at 0xf000.
func screenMap(p *printer, addr, n uint64) {
	p.array(addr, n/2, 2, func(b []byte) {
		const direct, mask = 0xf000, 0x1ff
		v := le(b)
		base := v&^mask == direct
		if p.opt.Style != StyleAbbrev || !base {
			p.hex(v)
		}
		if p.opt.Style == StyleRaw || !base {
			return
		}
		text := "UNI_DIRECT_BASE+" + string(appendHex(nil, v&mask))
		if p.opt.Style == StyleVerbose {
			text = " /* " + text + " */"
		}
		p.str(text)
	})
}

var keyNames = []*Set{
	1: setKDKeyFnKeys, 2: setKDKeySpecKeys, 3: setKDKeyPadKeys, 4: setKDKeyDeadKeys, 6: setKDKeyCurKeys, 7: setKDKeyShiftKeys,
	9: setKDKeyAsciiKeys, 10: setKDKeyLockKeys, 12: setKDKeySlockKeys, 14: setKDKeyBrlKeys,
}

// keyEntry is a struct kbentry: a table, a key and its value.
func keyEntry(get bool) []Arg {
	value := func(p *printer, addr uint64) {
		p.str(", ")
		b := p.fetch(addr+2, 2)
		if b == nil {
			p.str("kb_value=???")
			return
		}
		v := le(b)
		p.str("kb_value=")
		p.hex(v)
		p.keyRemark(v)
	}
	return ioctlWith(shown("argp", in, 4, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, 2)
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{kb_table=")
		if setKDKeyTables.Name(uint64(b[0])) != "" {
			p.enum(setKDKeyTables, uint64(b[0]))
		} else {
			p.flags(setKDKeymapFlags, uint64(b[0]))
		}
		p.str(", kb_index=")
		if p.uint(uint64(b[1])); !get {
			value(p, v.Uint)
			p.str("}")
		}
	}).twice(func(p *printer, v *Value) {
		if !get || p.fetchAt(v.Uint, 2, event.Enter) == nil {
			return
		}
		if !p.nothing() {
			value(p, v.Uint)
		}
		p.str("}")
	}))
}

func (p *printer) keyRemark(v uint64) {
	if p.opt.Style == StyleRaw {
		return
	}
	kind, code := v>>8, v&0xff
	name := ""
	if kind < uint64(len(keyNames)) && keyNames[kind] != nil {
		name = keyNames[kind].Name(v)
	}
	p.str(" /* ")
	defer p.str(" */")
	if name != "" {
		p.str(name)
		return
	}
	p.str("K(")
	if n := setKDKeyTypes.Name(kind); n != "" {
		p.str(n)
	} else {
		p.hex(kind)
	}
	p.str(", ")
	switch kind {
	case 0, 8, 11, 13: // a character
		p.char(byte(code), true)
	default:
		p.hex(code)
	}
	p.str(")")
}

// keyString is a struct kbsentry: a function key and its text.
func keyString(get bool) []Arg {
	text := func(p *printer, addr uint64) {
		p.str(", kb_string=")
		p.cstrAt(addr+1, 512)
	}
	return ioctlWith(shown("argp", in, 1, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, 1)
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{kb_func=")
		if p.enum(setKDKeyFnKeyVals, uint64(b[0])); !get {
			text(p, v.Uint)
			p.str("}")
		}
	}).twice(func(p *printer, v *Value) {
		if !get || p.fetchAt(v.Uint, 1, event.Enter) == nil {
			return
		}
		if !p.nothing() {
			text(p, v.Uint)
		}
		p.str("}")
	}))
}

var unicodePair = lazily(func() *cstruct { return structure(x16("unicode"), x16("fontpos")) })

// unicodeMap has pairs behind a pointer. When there is no room the kernel says
// how many there are.
func unicodeMap(get bool) []Arg {
	entries := func(p *printer, b []byte, n uint64) {
		p.str(", entries=")
		failed := p.failed
		p.failed = false
		p.records(unicodePair(), p.long(b, 1), n, 0)
		p.failed = failed
	}
	return ioctlWith(recordArg(kdMap(), in, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, p.bytesOf(kdMap()))
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{entry_ct=")
		if p.uint(le16(b, 0)); !get {
			entries(p, b, le16(b, 0))
			p.str("}")
		}
	}).twice(func(p *printer, v *Value) {
		const noMemory = 12
		was := p.fetchAt(v.Uint, p.bytesOf(kdMap()), event.Enter)
		if !get || was == nil {
			return
		}
		now := p.fetchAt(v.Uint, p.bytesOf(kdMap()), event.Leave)
		if now == nil {
			p.ptr(v.Uint)
			p.str("}")
			return
		}
		if le16(now, 0) != le16(was, 0) {
			p.str(" => ")
			p.uint(le16(now, 0))
		}
		if p.failed && p.s.Ret != -noMemory {
			p.str(", entries=")
			p.ptr(p.long(now, 1))
		} else {
			entries(p, now, le16(was, 0))
		}
		p.str("}")
	}))
}

var kdFontOp = lazily(func() *cstruct {
	return structure(
		e32("op", setKDFontOps), f32("flags", setKDFontFlags).only(isNot("op", 2, 3)), u32("width").only(isNot("op", 3)), u32("height"),
		u32("charcount").only(isNot("op", 2, 3)), al("data"))
})

// fontOp is a struct console_font_op; what its data is depends on op.
func fontOp() []Arg {
	show := func(p *printer, v *Value, names string) {
		b := p.fetch(v.Uint, p.bytesOf(kdFontOp()))
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.membersAt(kdFontOp().pick(names), b, v.Uint)
		op, width, count := le32(b, 0), le32(b, 8), le32(b, 16)
		data := le32(b, 20)
		if p.word() == 8 {
			data = le64(b, 24)
		}
		entering := p.at == event.Enter
		switch {
		case op == 0, op == 1 && !entering: // KD_FONT_OP_SET, KD_FONT_OP_GET
			p.str(", data=")
			p.hexAt(data, (min(width, 32)+7)/8*32*min(count, 512))
		case op == 2 && entering: // KD_FONT_OP_SET_DEFAULT
			p.str(", data=")
			p.fontName(data)
		case op == 2 || op == 3:
		default:
			p.str(", data=")
			p.ptr(data)
		}
		p.str("}")
	}
	return ioctlWith(recordArg(kdFontOp(), in, func(p *printer, v *Value) {
		show(p, v, "op flags width height charcount")
	}).twice(func(p *printer, v *Value) {
		was := p.fetchAt(v.Uint, p.bytesOf(kdFontOp()), event.Enter)
		if was == nil || le32(was, 0) == 0 || le32(was, 0) == 3 || p.nothing() || p.fetch(v.Uint, p.bytesOf(kdFontOp())) == nil {
			return
		}
		p.str(" => ")
		show(p, v, "width height charcount")
	}))
}

// fontName prints a name that has a NUL byte within 32 bytes.
func (p *printer) fontName(addr uint64) {
	const size = 32
	q, ended, whole := p.textAt(addr, min(p.opt.strLen()+1, size))
	switch limit := p.opt.strLen(); {
	case !whole:
		p.ptr(addr)
	case ended:
		p.quote(q, len(q), limit)
	default:
		p.quote(q[:min(limit, size-1)], size, limit)
	}
}
