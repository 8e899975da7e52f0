package grpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect/http"
)

func TestStatus(t *testing.T) {
	type said struct {
		Code, Message string
		OK            bool
	}
	for name, x := range map[string]struct {
		m    http.Message
		want said
	}{
		"trailer": {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc+proto"}},
			Trailer: http.Fields{{Name: "grpc-status", Value: "5"}, {Name: "grpc-message", Value: "no such product: 17%25 caf%C3%A9"}}}, said{"NOT_FOUND", "no such product: 17% café", true}},
		"header only":       {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "16"}}}, said{"UNAUTHENTICATED", "", true}},
		"unknown number":    {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "99"}}}, said{"99", "", true}},
		"damaged message":   {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc;x=y"}, {Name: "grpc-status", Value: "2"}, {Name: "grpc-message", Value: "50%"}}}, said{"UNKNOWN", "50%", true}},
		"no status":         {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc"}}}, said{"OK", "", false}},
		"status, no number": {http.Message{Header: http.Fields{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "-1"}}}, said{"OK", "", false}},
	} {
		code, message, ok := Status(&x.m)
		if d := cmp.Diff(x.want, said{code.String(), message, ok}); d != "" || !Is(&x.m) {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, typ := range []string{"application/grpc-web", "text/html", ""} {
		if Is(&http.Message{Header: http.Fields{{Name: "content-type", Value: typ}}}) {
			t.Errorf("%q is gRPC", typ)
		}
	}
}

func message(flag byte, data string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(data)))) + data
}

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func TestMessages(t *testing.T) {
	for name, x := range map[string]struct {
		coding, body string
		want         []Message
	}{
		"two":         {"", message(0, "a") + message(0, ""), []Message{{Length: 1, Data: []byte("a")}, {Data: []byte{}}}},
		"cut":         {"", message(0, "abc")[:6], []Message{{Length: 3, Data: []byte("a"), Err: "1 of 3 bytes are there"}}},
		"compressed":  {"gzip", message(1, zip("hello")), []Message{{Compressed: true, Length: int64(len(zip("hello"))), Data: []byte("hello")}}},
		"other codec": {"zstd", message(1, "x"), []Message{{Compressed: true, Length: 1, Data: []byte("x"), Err: `compression "zstd" is not known`}}},
		"none":        {"", "{json}", []Message{{Err: "no gRPC message: it begins with 0x7b"}}},
		"4 GB":        {"", "\x00\xff\xff\xff\xffa", []Message{{Length: 1<<32 - 1, Data: []byte("a"), Err: "1 of 4294967295 bytes are there"}}},
	} {
		m := &http.Message{Body: []byte(x.body), Header: http.Fields{{Name: "grpc-encoding", Value: x.coding}}}
		if d := cmp.Diff(x.want, Messages(m)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	bomb := &http.Message{Body: []byte(message(1, zip(strings.Repeat("\x00", maxMessage+9)))), Header: http.Fields{{Name: "grpc-encoding", Value: "gzip"}}}
	if got := Messages(bomb); len(got) != 1 || len(got[0].Data) != maxMessage || !strings.Contains(got[0].Err, "more than") {
		t.Errorf("a bomb gives %d messages, %d bytes, %q", len(got), len(got[0].Data), got[0].Err)
	}
}

func TestProtobuf(t *testing.T) {
	for b, want := range map[string]string{
		"\x08\x96\x01":                         "- 1: 150\n",
		"\x12\x07testing":                      "- 2: \"testing\"\n",
		"\x1a\x03\x08\x96\x01":                 "- 3:\n-   1: 150\n",
		"\x25\x01\x02\x03\x04":                 "- 4: 0x04030201\n",
		"\x29\x01\x00\x00\x00\x00\x00\x00\x80": "- 5: 0x8000000000000001\n",
		"\x32\x02\xff\xff":                     "- 6: !!hex ffff\n",
		"\x0b\x10\x05\x0c\x18\x01":             "- 1:\n-   2: 5\n- 3: 1\n",
		"\x08":                                 "- !!hex 08\n",
		"":                                     "",
	} {
		got := strings.ReplaceAll(string(AppendProtobuf(nil, []byte(b), "- ")), "\n  ", "\n-   ")
		if got != want {
			t.Errorf("%x: %q, want %q", b, got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(message(0, "\x1a\x03\x08\x96\x01")+message(1, zip("\x12\x07testing"))), "gzip")
	f.Fuzz(func(t *testing.T, body []byte, coding string) {
		m := &http.Message{Body: body, Header: http.Fields{{Name: "grpc-encoding", Value: coding}}}
		for _, x := range Messages(m) {
			if len(x.Data) > maxMessage && len(x.Data) > len(body) {
				t.Fatalf("%d bytes", len(x.Data))
			}
			AppendProtobuf(nil, x.Data, "")
		}
	})
}
