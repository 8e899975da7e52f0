package sysabi

// Requests whose number holds a length or a code besides (linux/input.h,
// hiddev.h, soundcard.h, uinput.h, joystick.h, spi/spidev.h).

// requestWithLength prints such a request as the macro that makes it.
func (p *printer) requestWithLength(code uint32, remark bool) bool {
	dir, nr := iocDir(code), iocNr(code)
	switch iocType(code) {
	case '!':
		if dir == iocRead && nr == 2 && iocSize(code) == 8 {
			p.str("SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR")
			return true
		}
	case 'E':
		return p.evdevRequest(dir, nr, iocSize(code), remark)
	case 'H':
		name := hiddevLengths()[dir][nr]
		return p.macro(name, iocSize(code))
	case 'M':
		switch dir {
		case iocWrite:
			return p.macro("MIXER_WRITE", nr)
		case iocRead:
			return p.macro("MIXER_READ", nr)
		}
	case 'U':
		return dir == iocRead && nr == 0x2c && p.macro("UI_GET_SYSNAME", iocSize(code))
	case 'j':
		return dir == iocRead && nr == 0x13 && p.macro("JSIOCGNAME", iocSize(code))
	case 'k':
		return dir == iocWrite && nr == 0 && p.macro("SPI_IOC_MESSAGE", iocSize(code))
	}
	return false
}

var hiddevLengths = lazily(func() map[uint32]map[uint32]string {
	return map[uint32]map[uint32]string{
		iocRead: {
			0x04: "HIDIOCGRAWNAME", 0x05: "HIDIOCGRAWPHYS", 0x06: "HIDIOCSFEATURE", 0x08: "HIDIOCGRAWUNIQ", 0x12: "HIDIOCGPHYS",
		},
		iocRead | iocWrite: {0x06: "HIDIOCSFEATURE", 0x07: "HIDIOCGFEATURE"},
	}
})

var evdevLengths = lazily(func() map[uint32]string {
	return map[uint32]string{
		0x06: "EVIOCGNAME", 0x07: "EVIOCGPHYS", 0x08: "EVIOCGUNIQ", 0x09: "EVIOCGPROP", 0x0a: "EVIOCGMTSLOTS",
		0x18: "EVIOCGKEY", 0x19: "EVIOCGLED", 0x1a: "EVIOCGSND", 0x1b: "EVIOCGSW",
	}
})

func (p *printer) macro(name string, n uint32) bool {
	if name == "" {
		return false
	}
	p.str(name)
	p.str("(")
	p.uint(uint64(n))
	p.str(")")
	return true
}

func (p *printer) evdevRequest(dir, nr, size uint32, remark bool) bool {
	name := func(s *Set, v uint32) {
		if remark && s.Name(uint64(v)) == "" {
			p.hex(uint64(v))
		} else {
			p.enum(s, uint64(v))
		}
	}
	switch {
	case dir == iocWrite && nr >= 0xc0:
		p.str("EVIOCSABS(")
		name(setEvdevAbs, nr-0xc0)
		p.str(")")
	case dir != iocRead:
		return false
	case nr >= 0x20 && nr < 0x40:
		p.str("EVIOCGBIT(")
		if nr == 0x20 {
			p.str("0")
		} else {
			name(setEvdevEv, nr-0x20)
		}
		p.str(", ")
		p.uint(uint64(size))
		p.str(")")
	case nr >= 0x40 && nr < 0x80:
		p.str("EVIOCGABS(")
		name(setEvdevAbs, nr-0x40)
		p.str(")")
	default:
		return p.macro(evdevLengths()[nr], size)
	}
	return true
}
