package stage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Cert is a server's certificate with its files (PEM).
type Cert struct {
	TLS               tls.Certificate
	CertFile, KeyFile string
}

// PKI is a CA and the certificates of servers called localhost, each with one
// fault or none.
type PKI struct {
	CAFile string // what a client is given to trust

	Good      Cert
	Expired   Cert // since 2023-03-01 12:00:00 UTC
	WrongHost Cert // made out to feeds.acme.example
	Untrusted Cert // by "Acme Internal Root 7", which is not in CAFile
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(s *Stage) *PKI {
	s.t.Helper()
	ca := newCA(s.t, "Stage Test CA")
	other := newCA(s.t, "Acme Internal Root 7")
	p := &PKI{CAFile: s.File("pki/ca.pem", string(certPEM(ca.cert.Raw)), 0o644)}
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	p.Good = newCert(s, "good", ca, "localhost", from, to)
	p.Expired = newCert(s, "expired", ca, "localhost", time.Date(2022, 12, 1, 12, 0, 0, 0, time.UTC), time.Date(2023, 3, 1, 12, 0, 0, 0, time.UTC))
	p.WrongHost = newCert(s, "wronghost", ca, "feeds.acme.example", from, to)
	p.Untrusted = newCert(s, "untrusted", other, "localhost", from, to)
	return p
}

func newCA(t testing.TB, name string) authority {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, // VERIFY_X509_STRICT wants it
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newCert(s *Stage, name string, by authority, host string, from, to time.Time) Cert {
	s.t.Helper()
	key := newKey(s.t)
	tmpl := &x509.Certificate{
		SerialNumber: serial(s.t), Subject: pkix.Name{CommonName: host}, NotBefore: from, NotAfter: to,
		DNSNames: []string{host}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if host == "localhost" {
		tmpl.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, key.Public(), by.key)
	if err != nil {
		s.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	return Cert{
		TLS:      tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		CertFile: s.File("pki/"+name+".pem", string(certPEM(der)), 0o644),
		KeyFile:  s.File("pki/"+name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), 0o600),
	}
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
