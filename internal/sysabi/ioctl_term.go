package sysabi

// Terminals: ioctl_tty(2).

var termios = lazily(func() *cstruct {
	return structure(termFlags(4,
		en("c_line", 1, setTermLineDiscs),
		u8("c_cc").list(19).shows(controlChars))...)
})

// termios2 has speeds besides.
var termios2 = lazily(func() *cstruct {
	return structure(termFlags(4,
		en("c_line", 1, setTermLineDiscs),
		u8("c_cc").list(19).shows(controlChars),
		u32("c_ispeed"), u32("c_ospeed"))...)
})

// termio is the older form, of shorts.
var termio = lazily(func() *cstruct {
	return structure(termFlags(2,
		en("c_line", 1, setTermLineDiscs),
		u8("c_cc").list(8).shows(controlChars))...)
})

func termFlags(size int, more ...field) []field {
	return append([]field{
		fl("c_iflag", size, setTermIflags),
		field{name: "c_oflag", size: size}.shows(outputFlags),
		field{name: "c_cflag", size: size}.shows(controlFlags),
		fl("c_lflag", size, setTermLflags),
		abbreviation,
	}, more...)
}

func outputFlags(p *printer) {
	f := p.get("c_oflag")
	for _, part := range [...]struct {
		set  *Set
		mask uint64
	}{
		{setTermOflagsNldly, 0o400}, {setTermOflagsCrdly, 0o3000}, {setTermOflagsTabdly, 0o14000},
		{setTermOflagsBsdly, 0o20000}, {setTermOflagsVtdly, 0o40000}, {setTermOflagsFfdly, 0o100000},
	} {
		p.enum(part.set, f&part.mask)
		p.str("|")
		f &^= part.mask
	}
	p.flags(setTermOflags, f)
}

func controlFlags(p *printer) {
	const baud, inputBaud, inputShift, csize = 0o10017, 0o2003600000, 16, 0o60
	f := p.get("c_cflag")
	p.enum(setBaudOptions, f&baud)
	p.str("|")
	if f&inputBaud != 0 {
		p.enum(setBaudOptions, f&inputBaud>>inputShift)
		p.str("<<")
		p.styled(inputShift, func() { p.str("IBSHIFT") })
		p.str("|")
	}
	p.enum(setTermCflagsCsize, f&csize)
	p.str("|")
	p.flags(setTermCflags, f&^(baud|inputBaud|csize))
}

// controlChars prints [[VINTR]=0x3, [VQUIT]=0x1c, ...].
func controlChars(p *printer) {
	p.str("[")
	for i, c := range p.memberBytes("c_cc") {
		p.sep(i)
		p.str("[")
		if n := setTermiosCc.Name(uint64(i)); n != "" {
			p.str(n)
		} else {
			p.uint(uint64(i))
		}
		p.str("]=")
		p.hex(uint64(c))
	}
	p.str("]")
}

var winsize = lazily(func() *cstruct { return structure(u16("ws_row"), u16("ws_col"), u16("ws_xpixel"), u16("ws_ypixel")) })

var ioctlsTerm = lazily(func() []request {
	return []request{
		{names: "TCGETS2", args: fills(termios2())},
		{names: "TCSETS2 TCSETSW2 TCSETSF2", args: gives(termios2())},
		{names: "TCGETS TIOCGLCKTRMIOS", args: fills(termios())},
		{names: "TCSETS TCSETSW TCSETSF TIOCSLCKTRMIOS", args: gives(termios())},
		{names: "TCGETA", args: fills(termio())},
		{names: "TCSETA TCSETAW TCSETAF", args: gives(termio())},
		{names: "TIOCGWINSZ", args: fills(winsize())},
		{names: "TIOCSWINSZ", args: gives(winsize())},
		{names: "TCXONC", args: ioctlWith(enum("arg", setTCXONCOptions).wide())},
		{names: "TCFLSH", args: ioctlWith(enum("arg", setTCFLSHOptions).wide())},
		{names: "TCSBRK TCSBRKP TIOCSCTTY", args: ioctlWith(num("arg"))},
		{names: "TIOCMGET", args: fills(refFlags(setModemFlags))},
		{names: "TIOCMBIS TIOCMBIC TIOCMSET", args: gives(refFlags(setModemFlags))},
		{names: "TIOCGPGRP TIOCGSID TIOCGETD TIOCGSOFTCAR TIOCGPTN FIONREAD TIOCOUTQ TIOCGEXCL TIOCGDEV", args: fills(refInt())},
		{names: "TIOCSPGRP TIOCSETD TIOCSSOFTCAR FIONBIO FIOASYNC", args: gives(refInt())},
		{names: "TIOCPKT", args: as("mode", gives(refInt()))},
		{names: "TIOCSPTLCK", args: as("lock", gives(refInt()))},
		{names: "TIOCSTI", args: givesText(1, (*printer).bytesAt)},
		{names: "TIOCSBRK TIOCCBRK TIOCCONS TIOCNOTTY TIOCEXCL TIOCNXCL FIOCLEX FIONCLEX TIOCVHANGUP TIOCSSERIAL", args: ioctlNone()},
	}
})
