package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// TestLooseCertificate: a certificate that crypto/x509 refuses still tells who
// it is for and how long it is valid.
func TestLooseCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2022, 6, 7, 0, 0, 0, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(0x0123456789), Subject: pkix.Name{CommonName: "shop.test"},
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end, DNSNames: []string{"shop.test"},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "Test CA"}}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	good := parseCert(der)
	if good.Err != nil || good.X509.Subject.CommonName != "shop.test" {
		t.Fatalf("a good certificate: %v", good.Err)
	}
	// A serial number with its first bit set is negative.
	bad := bytes.Replace(der, []byte{2, 5, 1, 0x23}, []byte{2, 5, 0x81, 0x23}, 1)
	c := parseCert(bad)
	if c.Err == nil {
		t.Fatal("crypto/x509 takes a negative serial number")
	}
	if c.X509 == nil || c.X509.Subject.CommonName != "shop.test" || c.X509.Issuer.CommonName != "Test CA" || !c.X509.NotAfter.Equal(end) {
		t.Errorf("read %+v", c.X509)
	}
	if c := parseCert(der[:40]); c.X509 != nil || c.Err == nil {
		t.Errorf("a torn certificate: %v", c.X509)
	}
}
