package sysabi

import "culprit/internal/event"

// Ancillary data of messages (cmsg(3)).

type cmsgKey struct{ level, typ uint32 }

// cmsgs is what the types that are known hold. Others, and those that are too
// short, are shown in hex.
var cmsgs = lazily(func() map[cmsgKey]payload {
	return map[cmsgKey]payload{
		{solSocket, 1}:  listOf(fd32("")), // SCM_RIGHTS
		{solSocket, 2}:  ucred(),          // SCM_CREDENTIALS
		{solSocket, 3}:  quotedBytes,      // SCM_SECURITY
		{solSocket, 4}:  fd32(""),         // SCM_PIDFD
		{solSocket, 29}: cmsgTime(true, "tv_usec", 1),
		{solSocket, 35}: cmsgTime(true, "tv_nsec", 1),
		{solSocket, 37}: cmsgTime(true, "tv_nsec", 3),
		{solSocket, 63}: cmsgTime(false, "tv_usec", 1),
		{solSocket, 64}: cmsgTime(false, "tv_nsec", 1),
		{solSocket, 65}: cmsgTime(false, "tv_nsec", 3),

		{solIP, 1}: listOf(x8("")),                                                              // IP_TOS
		{solIP, 2}: listOf(u32("")),                                                             // IP_TTL
		{solIP, 3}: quotedBytes,                                                                 // the number of SCM_SECURITY
		{solIP, 6}: listOf(x8("")),                                                              // IP_RECVOPTS
		{solIP, 7}: listOf(x8("")),                                                              // IP_RETOPTS
		{solIP, 8}: newRecord(ifindex("ipi_ifindex"), inet4("ipi_spec_dst"), inet4("ipi_addr")), // IP_PKTINFO
		{solIP, 11}: newRecord( // IP_RECVERR
			u32("ee_errno"), u8("ee_origin"), u8("ee_type"), u8("ee_code"), pad(1), u32("ee_info"), u32("ee_data"),
			sockaddrN("offender", 16)),
		{solIP, 20}: payloadFunc(cmsgAddr),                                    // IP_ORIGDSTADDR
		{solIP, 23}: listOf(u32("")),                                          // IP_CHECKSUM
		{solIP, 52}: boxed(en("", 4, &Set{"IP_???", setInetProtocols.Names})), // IP_PROTOCOL
	}
})

// quotedBytes is text, all of it.
var quotedBytes payloadFunc = func(p *printer, s span) bool {
	p.quote(s.b, len(s.b), whole)
	return true
}

func cmsgAddr(p *printer, s span) bool {
	if s.n < 16 {
		return false
	}
	p.sockaddr(DecodeSockaddr(s.b[:min(s.n, maxSockaddr)]))
	return true
}

// cmsgTime is n times, of longs or of 64 bits.
func cmsgTime(longs bool, part string, n int) payload {
	return payloadFunc(func(p *printer, s span) bool {
		size := 8
		if longs {
			size = p.word()
		}
		if s.n < 2*size*n {
			p.str("???")
			return true
		}
		if n > 1 {
			p.str("[")
		}
		for i := range n {
			p.sep(i)
			b := s.b[2*size*i:]
			p.time(les(b[:size]), les(b[size:2*size]), part)
		}
		if n > 1 {
			p.str("]")
		}
		return true
	})
}

// control prints the ancillary data of a message.
func (p *printer) control(h msghdr, at event.Phase) {
	q, _ := p.m.read(h.control, int(min(h.ctrlLen, maxControl)), at)
	word := p.word()
	head := word + 8
	size := int(min(h.ctrlLen, maxControl))
	if size < head || len(q) < size {
		p.ptr(h.control)
		return
	}
	p.str("[")
	left := q
	for len(left) >= head {
		if len(left) < len(q) {
			p.str(", ")
		}
		n := long64(left, 0, uint64(word))
		data := left[head:max(head, int(min(n, uint64(len(left)))))]
		p.cmsg(n, uint32(le32(left, word)), uint32(le32(left, word+4)), data)
		if n < uint64(head) {
			left = left[head:]
			break
		}
		next := (n + uint64(word) - 1) &^ uint64(word-1)
		if next == 0 || next >= uint64(len(left)) {
			left = nil
			break
		}
		left = left[next:]
	}
	if len(left) > 0 {
		p.str(", ")
		p.more(h.control + uint64(len(q)-len(left)))
	} else if uint64(size) < h.ctrlLen {
		p.str(", ...")
	}
	p.str("]")
}

// setCmsgLevels calls an unknown level otherwise than setsockopt does.
var setCmsgLevels = lazily(func() *Set { return &Set{"SOL_???", setSockLevels.Names} })

func (p *printer) cmsg(n uint64, level, typ uint32, data []byte) {
	p.str("{cmsg_len=")
	p.uint(n)
	p.str(", cmsg_level=")
	p.enum(setCmsgLevels(), uint64(level))
	p.str(", cmsg_type=")
	switch level {
	case solSocket:
		p.enum(setSCM, uint64(typ))
	case solIP:
		p.enum(setIPCmsg, uint64(typ))
	default:
		p.hex(uint64(typ))
	}
	if len(data) > 0 {
		p.str(", cmsg_data=")
		if is := cmsgs()[cmsgKey{level, typ}]; is == nil || !is.decode(p, span{1, len(data), data}) {
			p.octets(data)
		}
	}
	p.str("}")
}
