package live

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// The channel carries frames: a byte that says what it is, the length of the
// rest (u32, little endian), and text. Texts with several fields have NUL
// between them. What the program sends, and what it gets as an answer:
//
//	H pid, version, path     here I am               A command...  debug; before it may come S
//	                                                 N             go on without a debugger
//	E text                   the agent failed        -
//	O text                   pdb prints              -
//	R prompt                 a line is wanted        L line, K (Ctrl-C), Z (no more);
//	                                                 before it T at, line: asks what T word... could stand there
//	I tid                    pdb stops thread tid    K
//	J                        and lets it go on       K
//	Q tid                    it was told to quit     -
//	S state                  what outlives a restart -
//	X [n, argument...]       the command run: n old  K error
//	                         arguments, the new ones
//	V kind, spec, condition  is this a breakpoint?   K error
//	B entry, (number, kind,  watch for these, and    K error
//	   spec, condition)...   call the object at entry
//	W tid                    why is tid stopped?     K number, line for the user, details
type channel struct{ conn net.Conn }

// maxFrame bounds what the program may send at once.
const maxFrame = 64 << 20

func (c *channel) receive() (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("the program's debugger sent %d bytes at once", n)
	}
	// A length is only a claim: memory follows what has come.
	data, err = io.ReadAll(io.LimitReader(c.conn, int64(n)))
	if err == nil && len(data) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return head[0], data, err
}

// peer is the process at the other end, 0 when that can't be told.
func (c *channel) peer() int {
	u, ok := c.conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

func (c *channel) send(kind byte, data []byte) error {
	b := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(data)))
	_, err := c.conn.Write(append(b, data...))
	return err
}

func (c *channel) fields(kind byte, fields ...string) error {
	return c.send(kind, []byte(strings.Join(fields, "\x00")))
}

func split(data []byte) []string { return strings.Split(string(data), "\x00") }
