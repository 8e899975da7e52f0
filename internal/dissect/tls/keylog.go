package tls

import (
	"bytes"
	"encoding/hex"
	"io"
)

// Limits of a key log. What is over them is counted, not kept.
const (
	maxSessions = 1 << 16
	maxSecret   = 64 // SHA-512; real ones have 32 or 48 bytes
)

// label numbers the secrets of one session.
type label uint8

const (
	master label = iota
	clientEarly
	clientHandshake
	serverHandshake
	clientApp
	serverApp
	numLabels
)

// labels are the names in a key log file (draft-ietf-tls-keylogfile).
var labels = map[string]label{
	"CLIENT_RANDOM":                   master,
	"CLIENT_EARLY_TRAFFIC_SECRET":     clientEarly,
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET": clientHandshake,
	"SERVER_HANDSHAKE_TRAFFIC_SECRET": serverHandshake,
	"CLIENT_TRAFFIC_SECRET_0":         clientApp,
	"SERVER_TRAFFIC_SECRET_0":         serverApp,
}

// known labels that decrypting has no use for.
var unused = map[string]bool{
	"EXPORTER_SECRET": true, "EARLY_EXPORTER_SECRET": true, "EARLY_EXPORTER_MASTER_SECRET": true,
	"ECH_SECRET": true, "ECH_CONFIG": true, "RSA": true,
}

type secrets [numLabels][]byte

// Random is the client random that a key log names a session by.
type Random [32]byte

// KeyLog holds the secrets of an NSS key log, merged from any number of
// sources. The zero value is an empty one. Reading it from several connections
// at once is safe as long as nobody adds.
type KeyLog struct {
	sessions map[Random]*secrets

	// More, when set, is called once, when a secret is asked for that is not
	// here: it may Add what a recording holds further on.
	More func()

	Lines     int // lines with a secret that is kept or was known already
	Unused    int // well-formed lines whose label is of no use here
	Garbage   int // lines that are neither a comment nor a secret
	Conflicts int // a second, different secret of the same session and label: the first is kept
	Dropped   int // sessions over the limit
}

// Add reads the lines of one source. A last line without its newline counts.
// Comments (#), blank lines, CRLF and upper-case digits are fine; anything
// else is counted as garbage.
func (k *KeyLog) Add(data []byte) {
	for len(data) > 0 {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k.line(line)
	}
}

// maxLogLine is how long a line of a key log may be: more is garbage.
const maxLogLine = 4 << 10

// ReadFrom adds what r holds, however much that is, a piece at a time. The error
// is r's.
func (k *KeyLog) ReadFrom(r io.Reader) (int64, error) {
	buf := make([]byte, 256<<10)
	var total int64
	kept, long := 0, false // of a line that is not all there
	for {
		n, err := r.Read(buf[kept:])
		total += int64(n)
		b := buf[:kept+n]
		kept = 0
		if end := bytes.LastIndexByte(b, '\n'); err == nil {
			if long && end >= 0 {
				b = b[bytes.IndexByte(b, '\n')+1:]
				end, long = bytes.LastIndexByte(b, '\n'), false
			}
			if tail := b[end+1:]; long || len(tail) > maxLogLine {
				if !long {
					k.Garbage++
				}
				long = true
			} else {
				kept = len(tail)
			}
			k.Add(b[:end+1])
			copy(buf, b[end+1:][:kept])
			continue
		}
		if !long {
			k.Add(b)
		} else if i := bytes.IndexByte(b, '\n'); i >= 0 {
			k.Add(b[i+1:])
		}
		if err == io.EOF {
			err = nil
		}
		return total, err
	}
}

func (k *KeyLog) line(line []byte) {
	name, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(name) > 64 {
		k.Garbage++
		return
	}
	random, secret, ok := bytes.Cut(bytes.TrimSpace(rest), []byte{' '})
	secret = bytes.TrimSpace(secret)
	l, known := labels[string(name)]
	if !known {
		if ok && (unused[string(name)] || bytes.Contains(name, []byte("TRAFFIC_SECRET_"))) {
			k.Unused++
		} else {
			k.Garbage++
		}
		return
	}
	var r Random
	if len(random) != 64 || len(secret) < 64 || len(secret) > 2*maxSecret || len(secret)%2 != 0 {
		k.Garbage++
		return
	}
	if _, err := hex.Decode(r[:], random); err != nil {
		k.Garbage++
		return
	}
	b := make([]byte, len(secret)/2)
	if _, err := hex.Decode(b, secret); err != nil || l == master && len(b) != 48 {
		k.Garbage++
		return
	}
	k.put(r, l, b)
}

func (k *KeyLog) put(r Random, l label, b []byte) {
	s := k.sessions[r]
	if s == nil {
		if len(k.sessions) >= maxSessions {
			k.Dropped++
			return
		}
		if k.sessions == nil {
			k.sessions = make(map[Random]*secrets)
		}
		s = new(secrets)
		k.sessions[r] = s
	}
	switch {
	case s[l] == nil:
		s[l] = b
	case !bytes.Equal(s[l], b):
		k.Conflicts++
		return
	}
	k.Lines++
}

// Sessions returns the number of sessions with at least one secret.
func (k *KeyLog) Sessions() int {
	if k == nil {
		return 0
	}
	return len(k.sessions)
}

// Has says whether there is any secret for the session with client random r.
func (k *KeyLog) Has(r Random) bool {
	return k != nil && (k.sessions[r] != nil || k.more() && k.sessions[r] != nil)
}

func (k *KeyLog) more() bool {
	f := k.More
	k.More = nil
	if f != nil {
		f()
	}
	return f != nil
}

func (k *KeyLog) get(r Random, l label) []byte {
	if k == nil {
		return nil
	}
	s := k.sessions[r]
	if (s == nil || s[l] == nil) && k.more() {
		s = k.sessions[r]
	}
	if s == nil {
		return nil
	}
	return s[l]
}
