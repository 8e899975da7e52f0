package http

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxCodings bounds how many content codings are undone.
const maxCodings = 4

// Decode undoes Content-Encoding on the kept part of a body, giving at most limit
// bytes. A body that was
// kept or seen only in part gives what its beginning decodes to.
func (m *Message) Decode(limit int) {
	ce := m.Header.Get("Content-Encoding")
	if ce == "" || len(m.Body) == 0 {
		return
	}
	list := strings.Split(ce, ",")
	if len(list) > maxCodings {
		m.DecodeErr = "too many content codings"
		return
	}
	data, did := m.Body, false
	for i := len(list) - 1; i >= 0; i-- {
		name := strings.ToLower(strings.TrimSpace(list[i]))
		if name == "identity" || name == "" {
			continue
		}
		r, err := decoder(name, data)
		if err != nil {
			m.DecodeErr = name + ": " + err.Error()
			return
		}
		out, err := io.ReadAll(io.LimitReader(r, int64(limit)))
		if z, ok := r.(*zstd.Decoder); ok {
			z.Close()
		}
		data, did = out, true
		cut := m.Seen > int64(len(m.Body)) || !m.Complete
		if err != nil && !(cut && errors.Is(err, io.ErrUnexpectedEOF)) {
			m.DecodeErr = name + ": " + err.Error()
			break
		}
	}
	if did {
		m.Decoded = data
	}
}

var errCoding = errors.New("content coding is not known")

func decoder(name string, b []byte) (io.Reader, error) {
	src := bytes.NewReader(b)
	switch name {
	case "gzip", "x-gzip":
		return gzip.NewReader(src)
	case "deflate": // zlib by RFC 9110; some servers send the bare format
		if z, err := zlib.NewReader(src); err == nil {
			return z, nil
		}
		return flate.NewReader(bytes.NewReader(b)), nil
	case "br":
		return brotli.NewReader(src), nil
	case "zstd":
		return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<23), zstd.WithDecoderLowmem(true))
	}
	return nil, errCoding
}
