package keys

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Libraries, by their numbers in bpf/keys.bpf.c.
const (
	openssl = 1 + iota
	gnutls
	golang
)

var libraryNames = [...]string{openssl: "openssl", gnutls: "gnutls", golang: "go"}

// Bits of a probe's cookie: bpf/keys.bpf.c.
const (
	isGo      = 8
	isWrite   = 16
	byPointer = 32
	indirect  = 64
)

// site is a place in a file that a probe goes to.
type site struct {
	off    uint64 // in the file
	cookie uint64
}

// library is what was found in a file.
type library struct {
	number       int
	secret       []site // where secrets are logged
	enter, leave []site // of what reads and writes; without leave their returns are probed
	how          string // the key log function was found, for the coverage
}

// errStripped is of a library whose secrets can't be found.
var errStripped = errors.New("its key log function was not found")

// examine looks for TLS libraries in a program or a shared library. An error
// says that there is one, of which nothing can be read.
func examine(r io.ReaderAt, program bool) (*library, error) {
	m, err := open(r)
	if err != nil {
		return nil, nil // no ELF: a script
	}
	if m.Machine != elf.EM_X86_64 || m.Class != elf.ELFCLASS64 || m.Data != elf.ELFDATA2LSB {
		return nil, nil
	}
	t, err := m.goTable()
	if t != nil {
		return m.golang(t)
	}
	if err != nil {
		return &library{number: golang}, err
	}
	l, err := m.clib(m.exported)
	if l != nil || !program || len(m.constants("CLIENT_HANDSHAKE_TRAFFIC_SECRET")) == 0 {
		return l, err
	}
	if l, err = m.clib(m.local); l == nil {
		return &library{number: openssl}, errors.New("a TLS library is linked into it without its symbols")
	}
	return l, err
}

func (m *image) sites(cookie uint64, addrs ...uint64) []site {
	var out []site
	for _, a := range addrs {
		if off, ok := m.offset(a); ok && a != 0 {
			out = append(out, site{off, cookie})
		}
	}
	return out
}

// clib looks for OpenSSL and GnuTLS by names that every version exports.
func (m *image) clib(symbols func(...string) map[string]uint64) (*library, error) {
	at := symbols("SSL_get_client_random", "ssl_log_secret", "SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex",
		"gnutls_session_get_random", "gnutls_record_recv", "gnutls_record_send")
	l := &library{number: openssl}
	getter, log := at["SSL_get_client_random"], at["ssl_log_secret"]
	add := func(name string, flags uint64) {
		l.enter = append(l.enter, m.sites(uint64(l.number)|flags, at[name])...)
	}
	if getter == 0 {
		l.number = gnutls
		if getter = at["gnutls_session_get_random"]; getter == 0 {
			return nil, nil
		}
		add("gnutls_record_recv", 0)
		add("gnutls_record_send", isWrite)
	} else {
		add("SSL_read", 0)
		add("SSL_read_ex", byPointer)
		add("SSL_write", isWrite)
		add("SSL_write_ex", isWrite|byPointer)
	}
	l.how = "by its name"
	if log == 0 {
		log, l.how = m.callee("CLIENT_RANDOM"), "by where it is called from"
	}
	cookie, ok := m.random(getter)
	if log == 0 || !ok {
		return l, errStripped
	}
	l.secret = m.sites(uint64(l.number)|cookie, log)
	return l, nil
}

// random says, as bits of a cookie, where in a session its client random lies:
// the lowest address that its getter hands out, since GnuTLS's has the server's
// too.
func (m *image) random(getter uint64) (cookie uint64, ok bool) {
	const code = 512
	var best *field
	for _, f := range fields(m.at(getter, code)) {
		if best == nil || f.indirect == best.indirect && f.off+f.behind < best.off+best.behind {
			best = &f
		}
	}
	switch {
	case best == nil:
		return 0, false
	case best.indirect:
		return indirect | best.off<<8 | best.behind<<32, true
	}
	return best.off << 8, true
}

// golang finds what crypto/tls calls for each secret, and the methods of its
// connections.
func (m *image) golang(t *goTable) (*library, error) {
	log, ok := t.function("crypto/tls.(*Config).writeKeyLog")
	if !ok {
		return nil, nil // no TLS in it
	}
	const flags = golang | isGo
	l := &library{number: golang, how: "by the program's table of functions", secret: m.sites(flags, log.begin)}
	for name, write := range map[string]uint64{"Read": 0, "Write": isWrite} {
		f, ok := t.function("crypto/tls.(*Conn)." + name)
		if !ok {
			continue
		}
		const most = 1 << 16
		rets := returns(m.at(f.begin, min(f.end-f.begin, most)), f.begin)
		if len(rets) > 0 {
			l.enter = append(l.enter, m.sites(flags|write, f.begin)...)
			l.leave = append(l.leave, m.sites(flags|write, rets...)...)
		}
	}
	return l, nil
}

// String says what was found, for the coverage.
func (l *library) String() string {
	name := map[int]string{openssl: "OpenSSL", gnutls: "GnuTLS", golang: "Go's crypto/tls"}[l.number]
	if l.how == "" {
		return name
	}
	return fmt.Sprintf("%s, its key log function found %s", name, l.how)
}

// candidate says whether a file that is loaded may be a library to look at, by
// its name.
func candidate(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return strings.Contains(base, ".so") && (strings.Contains(base, "ssl") || strings.Contains(base, "tls") || strings.Contains(base, "node"))
}
