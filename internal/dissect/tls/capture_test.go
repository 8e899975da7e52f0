package tls

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culprit/internal/dissect"
	"culprit/internal/testkit/captest"
)

// follow is what tshark's "follow" gave for one connection.
type follow struct {
	Stream int
	Node0  string `json:"node0_sha256"`
	Node1  string `json:"node1_sha256"`
	Bytes0 int    `json:"node0_bytes"`
	Bytes1 int    `json:"node1_bytes"`
}

func expected(t *testing.T, path string) (tlsFollow, tcpFollow []follow) {
	base := strings.TrimSuffix(path, ".gz")
	b, err := os.ReadFile(strings.TrimSuffix(base, filepath.Ext(base)) + ".expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		TLS []follow `json:"K-follow-tls"`
		TCP []follow `json:"K-follow-tcp"`
	}
	if err := json.Unmarshal(b, &x); err != nil {
		t.Fatal(err)
	}
	return x.TLS, x.TCP
}

// plaintext runs one connection and returns the decrypted data each way.
func plaintext(keys *KeyLog, ins []dissect.Input) (text [2][]byte, outs []Output) {
	c := New(keys)
	take := func(list []Output) {
		for _, o := range list {
			switch o.Msg.(type) {
			case AppData, EarlyData:
				text[o.Dir] = append(text[o.Dir], o.Data...)
			}
			o.Data = append([]byte(nil), o.Data...)
			outs = append(outs, o)
		}
	}
	for _, in := range ins {
		take(c.Feed(in))
	}
	take(c.Close())
	return text, outs
}

func same(f follow, text [2][]byte) bool {
	h := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	a, b := h(text[0]), h(text[1])
	return a == f.Node0 && b == f.Node1 || a == f.Node1 && b == f.Node0
}

// betterThanTshark lists connections where tshark 4.0 gives less than there is,
// by file and stream, with what the difference is.
var betterThanTshark = map[string]string{
	"tcp-loss-tls13-raw-client.pcap#0":        "tshark stops at a hole; a record with a hole inside is skipped here",
	"tcp-mixed-trouble-tls13-raw-ipv6.pcap#0": "the same",
}

func TestSharedCaptures(t *testing.T) {
	for _, folder := range []string{"tls-ciphers", "tls-keys", "http1", "http2", "grpc", "websocket", "tcp", "dns"} {
		t.Run(folder, func(t *testing.T) {
			files := captest.Shared(folder)
			if len(files) == 0 {
				t.Skip("the shared capture collection does not lie beside the repository")
			}
			good, total := 0, 0
			for _, path := range files {
				want, _ := expected(t, path)
				cap, err := captest.Read(path)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					continue
				}
				var keys KeyLog
				keys.Add(cap.Keys)
				for _, f := range want {
					total++
					name := fmt.Sprintf("%s#%d", filepath.Base(path), f.Stream)
					if f.Stream >= len(cap.Conns) {
						t.Errorf("%s: only %d connections", name, len(cap.Conns))
						continue
					}
					text, outs := plaintext(&keys, cap.Conns[f.Stream].Inputs)
					if same(f, text) {
						good++
						continue
					}
					if betterThanTshark[name] != "" && len(text[0])+len(text[1]) > f.Bytes0+f.Bytes1 {
						continue
					}
					t.Errorf("%s: %d/%d bytes, want %d/%d", name, len(text[0]), len(text[1]), f.Bytes0, f.Bytes1)
					for _, o := range outs {
						switch m := o.Msg.(type) {
						case *Damage:
							t.Logf("  %s %+v", o.Dir, *m)
						case Undecrypted, *NotTLS:
							t.Logf("  %s %+v", o.Dir, m)
						}
					}
				}
			}
			t.Logf("%s: %d of %d followed connections give tshark's bytes", folder, good, total)
		})
	}
}
