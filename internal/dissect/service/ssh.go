package service

import (
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// ssh reads the part that is in the clear (RFC 4253): lines up to the version,
// which are no answers, then packets up to SSH_MSG_NEWKEYS.
type ssh struct {
	version [2]bool
}

const (
	sshDisconnect = 1
	sshNewKeys    = 21
)

func (p *ssh) read(c *Conn, d dissect.Dir, b []byte) int {
	if !p.version[d] {
		text, n := line(b)
		if n <= 0 {
			return n
		}
		p.version[d] = strings.HasPrefix(text, "SSH-")
		return n
	}
	if len(b) < 6 {
		return 0
	}
	size := be32(b)
	if size < 2 || size > 2*maxLine-4 {
		return -1
	}
	if len(b) < 4+size {
		return 0
	}
	switch body := b[5 : 4+size]; {
	case body[0] == sshNewKeys:
		return -1
	case body[0] == sshDisconnect && len(body) >= 9 && d == dissect.ToClient:
		n := min(max(be32(body[5:]), 0), len(body)-9)
		c.reply(Reply{Code: "disconnect " + strconv.Itoa(be32(body[1:])), Text: string(body[9 : 9+n]), Refused: true})
	}
	return 4 + size
}
