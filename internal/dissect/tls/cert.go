package tls

import (
	"bytes"
	"compress/zlib"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const maxChain = 64

// parseCertificate reads a chain (RFC 5246 section 7.4.2, RFC 8446 section 4.4.2).
func parseCertificate(b []byte, v Version) (m *Certificate, ok bool) {
	r := reader{b: b}
	m = new(Certificate)
	if v >= TLS13 {
		r.vec8() // certificate_request_context
	}
	list := r.vec24()
	for list.more() && len(m.Chain) < maxChain {
		der := list.vec24()
		if v >= TLS13 {
			list.vec16() // extensions
		}
		if !der.bad {
			m.Chain = append(m.Chain, parseCert(bytes.Clone(der.b)))
		}
	}
	return m, !list.bad
}

// decompressCert undoes RFC 8879.
func decompressCert(b []byte) ([]byte, bool) {
	r := reader{b: b}
	alg, size := r.u16(), r.u24()
	body := r.vec24()
	if body.bad || size > maxMessage {
		return nil, false
	}
	var src io.Reader
	switch alg {
	case 1:
		z, err := zlib.NewReader(bytes.NewReader(body.b))
		if err != nil {
			return nil, false
		}
		src = z
	case 2:
		src = brotli.NewReader(bytes.NewReader(body.b))
	case 3:
		z, err := zstd.NewReader(bytes.NewReader(body.b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<23))
		if err != nil {
			return nil, false
		}
		defer z.Close()
		src = z
	default:
		return nil, false
	}
	out, err := io.ReadAll(io.LimitReader(src, int64(size)+1))
	return out, err == nil && len(out) == size
}

// parseCert is lenient: what crypto/x509 refuses (negative serial numbers and
// the like) still gives names and validity.
func parseCert(der []byte) Cert {
	c := Cert{Raw: der}
	c.X509, c.Err = x509.ParseCertificate(der)
	if c.Err != nil {
		c.X509 = looseCert(der)
	}
	return c
}

// looseCert reads only the serial, names and times of a certificate (RFC 5280
// section 4.1).
func looseCert(der []byte) *x509.Certificate {
	var outer struct {
		TBS struct {
			Version   int `asn1:"optional,explicit,default:0,tag:0"`
			Serial    *big.Int
			Algorithm asn1.RawValue
			Issuer    asn1.RawValue
			Validity  struct{ NotBefore, NotAfter time.Time }
			Subject   asn1.RawValue
			Key       asn1.RawValue
			Rest      []asn1.RawValue `asn1:"optional"`
		}
		Algorithm asn1.RawValue
		Signature asn1.RawValue
	}
	// Trailing elements of TBS (ids, extensions) are tagged; unmarshalling stops
	// at the first that it does not expect, which is fine here.
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil
	}
	x := &x509.Certificate{
		Raw: der, SerialNumber: outer.TBS.Serial, Version: outer.TBS.Version + 1,
		NotBefore: outer.TBS.Validity.NotBefore, NotAfter: outer.TBS.Validity.NotAfter,
		RawSubject: outer.TBS.Subject.FullBytes, RawIssuer: outer.TBS.Issuer.FullBytes,
	}
	name(x.RawSubject, &x.Subject)
	name(x.RawIssuer, &x.Issuer)
	return x
}

func name(der []byte, to *pkix.Name) {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &seq); err == nil {
		to.FillFromRDNSequence(&seq)
	}
}
