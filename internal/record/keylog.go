package record

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
)

// maxKeyLog bounds what is kept of a key log, in bytes: some hundred thousand
// sessions.
const maxKeyLog = 64 << 20

// keyLog follows the file that the program writes its TLS secrets to.
type keyLog struct {
	path string
	from int64 // where the program's lines begin in a file that the user had
	kept int64
}

// openKeyLog chooses the file: the one that the user set, read from its present
// end on, or a private one. added are the environment variables that make
// programs write there.
func openKeyLog(dir string, env []string) (k *keyLog, added []string) {
	k = &keyLog{path: value(env, "SSLKEYLOGFILE")}
	if k.path != "" {
		if st, err := os.Stat(k.path); err == nil {
			k.from = st.Size()
		}
	} else {
		k.path = filepath.Join(dir, "tls.keys")
		if f, err := os.OpenFile(k.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			f.Close()
		}
		added = append(added, "SSLKEYLOGFILE="+k.path)
	}
	// Node ignores the variable and has an option instead.
	if opts := value(env, "NODE_OPTIONS"); !bytes.Contains([]byte(opts), []byte("--tls-keylog")) {
		if opts != "" {
			opts += " "
		}
		added = append(added, "NODE_OPTIONS="+opts+"--tls-keylog="+k.path)
	}
	return k, added
}

// follow copies whole new lines into the recording until ctx is done, and then
// once more.
func (k *keyLog) follow(ctx context.Context, s lens.Sink) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.read(s, false)
		case <-ctx.Done():
			k.read(s, true)
			return
		}
	}
}

func (k *keyLog) read(s lens.Sink, last bool) {
	// A pipe is somebody else's to read, and opening one may wait for ever.
	if st, err := os.Stat(k.path); err != nil || !st.Mode().IsRegular() {
		return
	}
	f, err := os.Open(k.path)
	if err != nil {
		return
	}
	defer f.Close()
	for {
		buf := make([]byte, 64<<10)
		n, err := f.ReadAt(buf, k.from)
		lines := buf[:n]
		if end := bytes.LastIndexByte(lines, '\n'); end >= 0 && !(last && err == io.EOF) {
			lines = lines[:end+1]
		} else if !last && n < len(buf) {
			return // a line in the making
		}
		if len(lines) == 0 {
			return
		}
		k.from += int64(len(lines))
		if k.kept += int64(len(lines)); k.kept > maxKeyLog {
			put(s, &event.Loss{Lens: "wire", What: "key log lines over the limit", Count: 1, Bytes: uint64(len(lines))})
		} else {
			put(s, &event.Secrets{Source: "SSLKEYLOGFILE", Lines: lines})
		}
		if err != nil {
			return
		}
	}
}
