package tcp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culprit/internal/testkit/captest"
)

// different lists connections where tshark's bytes are not the aim, and why.
var different = map[string]string{
	"zeek-vxlan-encapsulated-http.pcap#0":        "tunnels are not opened",
	"gopacket-linux-sll-oversized-addr.pcapng#0": "flipped bits in IP and TCP headers",
}

// TestSharedCaptures compares the streams with those of tshark's "follow,tcp".
func TestSharedCaptures(t *testing.T) {
	for _, folder := range []string{"http1", "http2", "tcp", "link", "tls-plain", "websocket", "grpc", "dns", "tls-ciphers"} {
		files := captest.Shared(folder)
		if len(files) == 0 {
			t.Skip("the shared capture collection does not lie beside the repository")
		}
		good, total := 0, 0
		for _, path := range files {
			base := strings.TrimSuffix(path, ".gz")
			b, err := os.ReadFile(strings.TrimSuffix(base, filepath.Ext(base)) + ".expected.json")
			if err != nil {
				t.Fatal(err)
			}
			var x struct {
				TCP []struct {
					Stream int
					Node0  string `json:"node0_sha256"`
					Node1  string `json:"node1_sha256"`
					Bytes0 int    `json:"node0_bytes"`
					Bytes1 int    `json:"node1_bytes"`
				} `json:"K-follow-tcp"`
			}
			if err := json.Unmarshal(b, &x); err != nil {
				t.Fatal(err)
			}
			if x.TCP == nil {
				continue
			}
			c, err := captest.Read(path)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, f := range x.TCP {
				total++
				name := fmt.Sprintf("%s#%d", filepath.Base(path), f.Stream)
				if f.Stream >= len(c.Conns) {
					if different[name] == "" {
						t.Errorf("%s: only %d connections", name, len(c.Conns))
					}
					continue
				}
				// tshark puts words into the stream where a hole is, but none where a
				// packet's end was cut off.
				var text, worded, holes [2]string
				for _, in := range c.Conns[f.Stream].Inputs {
					if in.Gap > 0 {
						holes[in.Dir] += fmt.Sprintf(" %d@%d", in.Gap, len(text[in.Dir]))
						worded[in.Dir] += fmt.Sprintf("[%d bytes missing in capture file]\x00", in.Gap)
					}
					text[in.Dir] += string(in.Data)
					worded[in.Dir] += string(in.Data)
				}
				sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
				same := func(a, b string) bool {
					a, b = sum(a), sum(b)
					return a == f.Node0 && b == f.Node1 || a == f.Node1 && b == f.Node0
				}
				if same(text[0], text[1]) || same(worded[0], worded[1]) {
					good++
					continue
				}
				if different[name] == "" {
					t.Errorf("%s: %d/%d bytes, want %d/%d; holes %q", name, len(text[0]), len(text[1]), f.Bytes0, f.Bytes1, holes)
				}
			}
		}
		t.Logf("%s: %d of %d followed connections give tshark's bytes", folder, good, total)
	}
}
