package live

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Script reads commands from text. The prompts go to w, as pdb's do when its
// input is no terminal.
func Script(r io.Reader, w io.Writer) Input { return &script{bufio.NewReader(r), w} }

type script struct {
	r *bufio.Reader
	w io.Writer
}

func (s *script) ReadLine(prompt string, _ func(string, int) []string) (string, error) {
	if _, err := io.WriteString(s.w, prompt); err != nil {
		return "", err
	}
	line, err := s.r.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// Console reads commands from a terminal, with line editing, history and
// completion. The terminal is the program's again after each line.
type Console struct {
	tty         *os.File
	term        *term.Terminal
	interrupted bool
	tabs        int // in a row
}

// NewConsole makes a console of a terminal that is open for reading and writing.
func NewConsole(tty *os.File) *Console {
	c := &Console{tty: tty}
	c.term = term.NewTerminal(c, "")
	return c
}

// Read takes what is typed. The terminal takes Ctrl-C for the end of input.
func (c *Console) Read(p []byte) (int, error) {
	n, err := c.tty.Read(p)
	for _, b := range p[:n] {
		c.interrupted = b == 3
	}
	return n, err
}

// Write shows text.
func (c *Console) Write(p []byte) (int, error) { return c.tty.Write(p) }

// ReadLine reads an edited line.
func (c *Console) ReadLine(prompt string, complete func(string, int) []string) (string, error) {
	fd := int(c.tty.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("read the terminal's mode: %w", err)
	}
	raw := *saved
	raw.Iflag &^= unix.ICRNL | unix.INLCR | unix.IGNCR | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Oflag |= unix.OPOST | unix.ONLCR // other threads of the program may print
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETSW, &raw); err != nil {
		return "", fmt.Errorf("set the terminal's mode: %w", err)
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETSW, saved) }()
	if ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil && ws.Col > 0 {
		_ = c.term.SetSize(int(ws.Col), int(ws.Row))
	}
	c.term.SetPrompt(prompt)
	c.tabs = 0
	c.term.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			c.tabs = 0
			return "", 0, false
		}
		c.tabs++
		return c.complete(line, pos, complete(line, pos))
	}
	line, err := c.term.ReadLine()
	if err == io.EOF {
		fmt.Fprintln(c.tty)
		// A Terminal goes on with what it has read, also the end.
		old := c.term
		c.term = term.NewTerminal(c, "")
		c.term.History = old.History
		if c.interrupted {
			err = ErrInterrupted
		}
	}
	if err == term.ErrPasteIndicator {
		err = nil
	}
	return line, err
}

// complete puts in what all words have in common, or at a second tab lists them.
func (c *Console) complete(line string, pos int, words []string) (string, int, bool) {
	if len(words) == 0 {
		return "", 0, false
	}
	common := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	// What is there of the word already is the longest end of the text that begins
	// all words.
	typed := min(len(common), pos)
	for typed > 0 && line[pos-typed:pos] != common[:typed] {
		typed--
	}
	if add := common[typed:]; add != "" {
		return line[:pos] + add + line[pos:], pos + len(add), true
	}
	if c.tabs > 1 && len(words) > 1 {
		fmt.Fprintln(c.term, strings.Join(words, "  "))
	}
	return line, pos, true
}
