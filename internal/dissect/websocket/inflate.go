package websocket

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"

	"culprit/internal/dissect"
)

// window is how far back DEFLATE refers (RFC 1951 section 2).
const window = 32 << 10

// inflater decompresses the messages of one direction.
type inflater struct {
	fresh bool   // each message begins with an empty window (no_context_takeover)
	past  []byte // the window
	lost  bool   // a message was not decompressed, and with it the window was lost
	r     io.ReadCloser
	src   bytes.Reader
}

// inflaters reads the extensions that the server agreed to (RFC 7692 section
// 7.1): nil for a direction without compression.
func inflaters(extensions string) (out [2]*inflater) {
	for e := range strings.SplitSeq(extensions, ",") {
		name, params, _ := strings.Cut(e, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
			continue
		}
		out = [2]*inflater{{}, {}}
		for p := range strings.SplitSeq(params, ";") {
			switch strings.ToLower(strings.TrimSpace(p)) {
			case "client_no_context_takeover":
				out[dissect.ToServer].fresh = true
			case "server_no_context_takeover":
				out[dissect.ToClient].fresh = true
			}
		}
		return out
	}
	return out
}

// tail ends a message for DEFLATE: the empty block that RFC 7692 section 7.2.1
// takes off, and one that is marked as the last.
var tail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// message decompresses one message and keeps at most limit bytes of it. What
// comes out of it is read to MaxMessage and no further.
func (z *inflater) message(b []byte, limit int) (data []byte, size int64, failed string) {
	if z.lost && !z.fresh {
		return nil, 0, "not decompressed: it refers to a message before it that was not"
	}
	z.src.Reset(append(b, tail...))
	if z.r == nil {
		z.r = flate.NewReaderDict(&z.src, z.past)
	} else if err := z.r.(flate.Resetter).Reset(&z.src, z.past); err != nil {
		return nil, 0, err.Error()
	}
	out, err := io.ReadAll(io.LimitReader(z.r, MaxMessage+1))
	switch {
	case len(out) > MaxMessage:
		z.lost, out = true, out[:MaxMessage]
		failed = fmt.Sprintf("it decompresses to more than %d bytes", MaxMessage)
	case err != nil && !errors.Is(err, io.EOF):
		z.lost = true
		failed = "decompression: " + err.Error()
	case len(out) > limit:
		failed = fmt.Sprintf("%d of %d bytes were kept", limit, len(out))
	}
	if !z.fresh {
		z.past = append(z.past, out[max(len(out)-window, 0):]...)
		if n := len(z.past) - window; n > 0 {
			z.past = append(z.past[:0], z.past[n:]...)
		}
	}
	return out[:min(len(out), limit)], int64(len(out)), failed
}
