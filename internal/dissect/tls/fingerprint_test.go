package tls

import "testing"

// TestJA4 has the example of FoxIO's description of JA4: a Chrome.
func TestJA4(t *testing.T) {
	m := &ClientHello{
		Version: TLS12, Versions: []Version{TLS13, TLS12}, ServerName: "example.com", ALPN: []string{"h2", "http/1.1"},
		Suites:              []Suite{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		Extensions:          []uint16{0x1b, 0, 0x33, 0x10, 0x4469, 0x17, 0x2d, 0x0d, 5, 0x23, 0x12, 0x2b, 0xff01, 0x0b, 0x0a, 0x15},
		SignatureAlgorithms: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	}
	if got, want := m.JA4(), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := (&ClientHello{Version: TLS10}).JA4(), "t10i000000_000000000000_000000000000"; got != want {
		t.Errorf("an empty one: %s, want %s", got, want)
	}
}
