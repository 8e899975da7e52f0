package stage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
)

// NoSuchName starts a name server that answers NXDOMAIN to every question, and
// returns a command prefix that runs a program with no other name server: a
// mount namespace with its own resolv.conf and nsswitch.conf. Needs root.
func (s *Stage) NoSuchName() (prefix []string) {
	s.t.Helper()
	Need(s.t, "root", "unshare", "mount", "sh")
	var pc net.PacketConn
	var err error
	for range 20 { // glibc's resolver asks port 53 only, but any address
		addr := fmt.Sprintf("127.53.%d.%d:53", rand.IntN(256), 1+rand.IntN(254))
		if pc, err = net.ListenPacket("udp4", addr); err == nil {
			break
		}
	}
	if err != nil {
		s.t.Fatalf("listen for DNS: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := nxdomain(buf[:n]); a != nil {
				pc.WriteTo(a, from)
			}
		}
	}()
	s.t.Cleanup(func() {
		pc.Close()
		<-done
	})
	host, _, _ := net.SplitHostPort(pc.LocalAddr().String())
	resolv := s.File("etc/resolv.conf", "nameserver "+host+"\noptions timeout:2 attempts:2\n", 0o644)
	nsswitch := s.File("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644)
	script := `mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"`
	return []string{"unshare", "--mount", "--", "sh", "-c", script, resolv, nsswitch}
}

// nxdomain answers a question (RFC 1035, section 4.1): QR, RD as asked, RA,
// RCODE 3, the question repeated and nothing else.
func nxdomain(q []byte) []byte {
	if len(q) < 12 || q[2]&0x80 != 0 || binary.BigEndian.Uint16(q[4:]) != 1 {
		return nil
	}
	end := 12
	for end < len(q) && q[end] != 0 {
		end += 1 + int(q[end])
	}
	end += 1 + 4 // root label, QTYPE, QCLASS
	if end > len(q) {
		return nil
	}
	a := append([]byte(nil), q[:end]...)
	a[2] = 0x80 | q[2]&0x01
	a[3] = 0x80 | 3
	clear(a[6:12]) // no answer, authority, additional (the EDNS record goes)
	return a
}
