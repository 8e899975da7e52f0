package demo

import (
	"context"
	"net"
	"syscall"
)

// receiveBuffer is the size of the server's receive buffer, in bytes. It is
// set before listen, as the window scale is agreed at the handshake (tcp(7)).
// With the kernel's own sizes (tcp_rmem up to 6 MB, tcp_wmem up to 4 MB by
// default, more on a tuned machine) the whole upload might fit into the two
// buffers, and then no write would fail.
const receiveBuffer = 128 << 10

func listen(ctx context.Context) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	return lc.Listen(ctx, "tcp4", "127.0.0.1:0")
}
