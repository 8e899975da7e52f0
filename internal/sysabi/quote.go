package sysabi

// whole is quote's limit for strings that are printed in full.
const whole = -1

// quote prints a string literal of at most max bytes of data, with "..." behind it when n, the length that there was, is greater.
func (p *printer) quote(data []byte, n, max int) {
	cut := n > len(data)
	if max != whole && len(data) > max {
		data, cut = data[:max], true
	}
	if p.opt.Escape != EscapeOctal {
		p.b = appendHexQuoted(p.b, data, p.opt.Escape)
	} else {
		p.b = appendQuoted(p.b, data, p.opt.Hex)
	}
	if cut && max != whole {
		p.str("...")
	}
}

// appendQuoted escapes as strace(1) does: C's letters, else as few octal
// digits as the next byte allows.
func appendQuoted(b, data []byte, hex bool) []byte {
	b = append(b, '"')
	if hex {
		hex = false
		for _, c := range data {
			if c >= 0x7f || c < ' ' && (c < '\t' || c > '\r') {
				hex = true
				break
			}
		}
	}
	const digits = "0123456789abcdef"
	for i, c := range data {
		if hex {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ' && c < 0x7f:
			b = append(b, c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\v':
			b = append(b, '\\', 'v')
		default:
			b = append(b, '\\')
			full := i+1 < len(data) && data[i+1] >= '0' && data[i+1] <= '7'
			if full || c >= 0o100 {
				b = append(b, '0'+c>>6)
			}
			if full || c >= 0o10 {
				b = append(b, '0'+c>>3&7)
			}
			b = append(b, '0'+c&7)
		}
	}
	return append(b, '"')
}

// hexString prints bytes that are no text.
func (p *printer) hexString(data []byte, n int) {
	data = data[:min(len(data), p.opt.strLen())]
	p.str("\"")
	for _, c := range data {
		p.str("\\")
		p.b = append(p.b, 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	p.str("\"")
	if len(data) < n {
		p.str("...")
	}
}

// appendHexQuoted is appendQuoted with hex escapes.
func appendHexQuoted(b, data []byte, how Escape) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i, c := range data {
		if how == EscapeNonASCII && (c >= ' ' && c < 0x7f || c >= '\t' && c <= '\r') {
			q := appendQuoted(nil, data[i:i+1], false)
			b = append(b, q[1:len(q)-1]...)
			continue
		}
		b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
	}
	return append(b, '"')
}
