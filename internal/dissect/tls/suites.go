package tls

import (
	"crypto"
	_ "crypto/md5" // registers the hash of TLS 1.0 and of MD5 suites
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"strings"
)

// Version is a protocol version as it stands on the wire.
type Version uint16

// Versions.
const (
	SSL30 Version = 0x0300
	TLS10 Version = 0x0301
	TLS11 Version = 0x0302
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

// String returns "TLS 1.3" and the like, or "0xNNNN" for an unknown version.
func (v Version) String() string {
	switch v {
	case SSL30:
		return "SSL 3.0"
	case TLS10, TLS11, TLS12, TLS13:
		return fmt.Sprintf("TLS 1.%d", v-TLS10)
	}
	return fmt.Sprintf("0x%04X", uint16(v))
}

// Suite is a cipher suite number.
type Suite uint16

// String returns the suite's IANA name, or "0xNNNN" for an unlisted one.
func (s Suite) String() string {
	if n, ok := suiteNames[s]; ok {
		return n
	}
	return fmt.Sprintf("0x%04X", uint16(s))
}

type mode uint8

const (
	modeGCM mode = iota + 1
	modeCCM
	modeCCM8
	modeChaCha
	modeCBC
	modeStream // RC4
	modeNull
)

type block uint8

const (
	blockNone block = iota
	blockAES
	block3DES
	blockCamellia
)

// params is what a suite means for the record layer.
type params struct {
	mode   mode
	block  block
	keyLen int
	mac    crypto.Hash // CBC, stream and NULL suites
	prf    crypto.Hash // of TLS 1.2 and 1.3
}

// aead says whether the suite's records are sealed by an AEAD.
func (p *params) aead() bool { return p.mode <= modeChaCha }

// blockLen is the cipher's block size in bytes, 0 for a stream.
func (p *params) blockLen() int {
	switch p.block {
	case blockNone:
		return 0
	case block3DES:
		return 8
	}
	return 16
}

// params reads the cipher, key length and hashes from the suite's name, since
// the registry's names are regular. It reports false for suites that nothing
// here can decrypt.
func (s Suite) params() (params, bool) {
	name, ok := suiteNames[s]
	if !ok {
		return params{}, false
	}
	_, name, ok = strings.Cut(name, "_WITH_")
	if !ok {
		name = strings.TrimPrefix(suiteNames[s], "TLS_") // TLS 1.3
	}
	p := params{prf: crypto.SHA256}
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return params{}, false
	}
	hash, rest := name[i+1:], name[:i]
	switch hash {
	case "SHA384":
		p.mac, p.prf = crypto.SHA384, crypto.SHA384
	case "SHA256":
		p.mac = crypto.SHA256
	case "SHA":
		p.mac = crypto.SHA1
	case "MD5":
		p.mac = crypto.MD5
	case "CCM", "8":
		rest = name
	default:
		return params{}, false
	}
	for _, c := range ciphers {
		if c.name == rest {
			p.mode, p.block, p.keyLen = c.mode, c.block, c.keyLen
			return p, true
		}
	}
	return params{}, false
}

var ciphers = []struct {
	name   string
	mode   mode
	block  block
	keyLen int
}{
	{"AES_128_GCM", modeGCM, blockAES, 16},
	{"AES_256_GCM", modeGCM, blockAES, 32},
	{"CHACHA20_POLY1305", modeChaCha, blockNone, 32},
	{"AES_128_CCM", modeCCM, blockAES, 16},
	{"AES_256_CCM", modeCCM, blockAES, 32},
	{"AES_128_CCM_8", modeCCM8, blockAES, 16},
	{"AES_256_CCM_8", modeCCM8, blockAES, 32},
	{"AES_128_CBC", modeCBC, blockAES, 16},
	{"AES_256_CBC", modeCBC, blockAES, 32},
	{"3DES_EDE_CBC", modeCBC, block3DES, 24},
	{"RC4_128", modeStream, blockNone, 16},
	{"NULL", modeNull, blockNone, 0},
	{"CAMELLIA_128_CBC", modeCBC, blockCamellia, 16},
	{"CAMELLIA_256_CBC", modeCBC, blockCamellia, 32},
	{"CAMELLIA_128_GCM", modeGCM, blockCamellia, 16},
	{"CAMELLIA_256_GCM", modeGCM, blockCamellia, 32},
}
