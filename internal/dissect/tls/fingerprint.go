package tls

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JA3 is the MD5 fingerprint of a ClientHello: version, suites, extensions,
// groups, point formats, decimal and in their order, without GREASE
// (github.com/salesforce/ja3).
func (m *ClientHello) JA3() string {
	sum := md5.Sum([]byte(m.JA3Text()))
	return hex.EncodeToString(sum[:])
}

// JA3Text is what JA3 is the MD5 of.
func (m *ClientHello) JA3Text() string {
	return strings.Join([]string{
		strconv.Itoa(int(m.Version)), decimal(m.Suites), decimal(m.Extensions), decimal(m.Groups), decimal(m.PointFormats),
	}, ",")
}

func decimal[T ~uint8 | ~uint16](list []T) string {
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(strconv.Itoa(int(x)))
	}
	return b.String()
}

// JA4 is the fingerprint of a ClientHello over TCP as FoxIO's JA4 defines it:
// what is countable in the clear, then hashes of the sorted suites and of the
// sorted extensions with the signature algorithms.
func (m *ClientHello) JA4() string {
	version := m.Version
	for _, v := range m.Versions {
		version = max(version, v)
	}
	name := map[Version]string{TLS13: "13", TLS12: "12", TLS11: "11", TLS10: "10", SSL30: "s3"}[version]
	if name == "" {
		name = "00"
	}
	sni := "i"
	if m.ServerName != "" {
		sni = "d"
	}
	alpn := "00"
	if len(m.ALPN) > 0 && m.ALPN[0] != "" {
		alpn = ends(m.ALPN[0])
	}
	var exts []uint16
	for _, e := range m.Extensions {
		if e != extServerName && e != extALPN {
			exts = append(exts, e)
		}
	}
	b := hexes(m.Suites, true)
	c := hexes(exts, true)
	if len(m.SignatureAlgorithms) > 0 {
		c += "_" + hexes(m.SignatureAlgorithms, false)
	}
	if len(m.Extensions) == 0 {
		c = ""
	}
	return fmt.Sprintf("t%s%s%02d%02d%s_%s_%s", name, sni, min(len(m.Suites), 99), min(len(m.Extensions), 99), alpn, short(b), short(c))
}

// ends is the first and the last character of a name, or of its hexadecimal
// form when they are not letters or digits.
func ends(s string) string {
	alnum := func(b byte) bool { return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' }
	if first, last := s[0], s[len(s)-1]; alnum(first) && alnum(last) {
		return string([]byte{first, last})
	}
	h := hex.EncodeToString([]byte(s))
	return h[:1] + h[len(h)-1:]
}

func hexes[T ~uint16](list []T, sorted bool) string {
	list = slices.Clone(list)
	if sorted {
		slices.Sort(list)
	}
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%04x", uint16(x))
	}
	return b.String()
}

func short(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
