package pcapng

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// expected is what tshark and capinfos say of a capture.
type expected struct {
	Capinfos map[string]string `json:"capinfos"`
	Packets  struct {
		Lines int      `json:"lines"`
		Head  []string `json:"head"`
	} `json:"K-packets"`
}

// The captures beside the repository, whose every file comes with what tshark
// and capinfos make of it.
func TestCaptures(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "captures")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.expected.json"))
	if len(files) == 0 {
		t.Skip("no captures in " + dir)
	}
	checked, rows := 0, 0
	for _, name := range files {
		base := strings.TrimSuffix(name, ".expected.json")
		capture := base + ".pcapng"
		data, err := os.ReadFile(capture)
		if err != nil {
			capture = base + ".pcap"
			if data, err = os.ReadFile(capture); err != nil {
				continue // compressed, or a variant of another file
			}
		}
		var want expected
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(text, &want) != nil || want.Capinfos["Number of packets"] == "" {
			continue
		}
		t.Run(filepath.Base(base), func(t *testing.T) {
			rows += checkCapture(t, data, want)
		})
		checked++
	}
	t.Logf("%d captures, %d packets compared one by one", checked, rows)
	if checked < 50 || rows < 500 {
		t.Errorf("compared only %d captures, %d packets", checked, rows)
	}
}

func checkCapture(t *testing.T, data []byte, want expected) (rows int) {
	src, err := Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string // time, captured length, length
	packets := 0
	for {
		block, err := src.Next()
		if err != nil {
			if err != io.EOF && !errors.Is(err, ErrTorn) {
				t.Errorf("%v", err)
			}
			break
		}
		if p, ok := block.(*Packet); ok {
			packets++
			if p.TimeKnown {
				lines = append(lines, fmt.Sprintf("%d.%09d\t%d\t%d", p.Nanos/1e9, p.Nanos%1e9, len(p.Data), p.OrigLen))
			}
		}
	}
	if n, err := strconv.Atoi(strings.ReplaceAll(want.Capinfos["Number of packets"], ",", "")); err == nil && n != packets {
		t.Errorf("%d packets, capinfos has %d", packets, n)
	}
	for _, row := range want.Packets.Head {
		cols := strings.SplitN(row, "\t", 5)
		if len(cols) < 4 || cols[1] == "" {
			continue // a row that is no packet, or has no time
		}
		if len(lines) == 0 {
			t.Errorf("no packet for tshark's row %q", row)
			break
		}
		if got := strings.Join(cols[1:4], "\t"); got != lines[0] {
			t.Errorf("packet is %q, tshark has %q", lines[0], got)
		}
		lines = lines[1:]
		rows++
	}
	return rows
}
