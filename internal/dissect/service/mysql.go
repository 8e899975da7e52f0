package service

import (
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// mysql reads the client/server protocol (MySQL internals, "Client/Server
// Protocol"): packets of a three-byte length, a number and a body.
type mysql struct {
	greeted bool // the server's first packet was seen
	logged  bool // the client's answer to it was seen
	query   string
}

const mysqlTLS = 0x800 // CLIENT_SSL, of the capabilities in the client's first packet

// mysqlAuth are the errors that refuse who asks: ER_DBACCESS_DENIED_ERROR,
// ER_ACCESS_DENIED_ERROR, ER_HOST_NOT_PRIVILEGED, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ...
var mysqlAuth = []int{1044, 1045, 1130, 1142, 1251, 1698, 1862}

func (p *mysql) read(c *Conn, d dissect.Dir, b []byte) int {
	if len(b) < 4 {
		return 0
	}
	size := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	keep := min(size, maxLine)
	if len(b) < 4+keep {
		return 0
	}
	c.skip[d] += size - keep
	body := b[4 : 4+keep]
	if d == dissect.ToServer {
		switch {
		case !p.logged:
			p.logged = true
			p.query = "(log in)"
			if size == 32 && (int(body[0])|int(body[1])<<8)&mysqlTLS != 0 {
				return -1
			}
		case b[3] == 0 && keep > 0 && (body[0] == 0x03 || body[0] == 0x16 || body[0] == 0x02): // COM_QUERY, COM_STMT_PREPARE, COM_INIT_DB
			p.query = clean(string(body[1:]))
		}
		return 4 + keep
	}
	p.greeted = true
	switch {
	case keep >= 3 && body[0] == 0xff: // ERR_Packet
		code := int(body[1]) | int(body[2])<<8
		text := string(body[3:])
		if strings.HasPrefix(text, "#") && len(text) >= 6 {
			text = text[6:] // the SQLSTATE
		}
		c.reply(Reply{Request: p.query, Code: strconv.Itoa(code), Text: text, Refused: true, Auth: slices.Contains(mysqlAuth, code)})
	case keep >= 7 && body[0] == 0 && p.logged: // OK_Packet
		c.reply(Reply{Request: p.query})
	}
	return 4 + keep
}
