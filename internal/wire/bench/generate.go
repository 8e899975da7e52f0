package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	segmentSize = 1460 // bytes of TCP payload, as on Ethernet
	bulkBody    = 4 << 20
	smallBody   = 600
	refused     = 1000 // one in so many small requests is answered 413
)

// capture writes what goes over connections as a pcap file.
type capture struct {
	mu   sync.Mutex
	w    *bufio.Writer
	n    int64
	tick int64 // microseconds
	err  error
}

// link is one end of a connection whose writes are captured.
type link struct {
	net.Conn
	c        *capture
	src, dst uint16
	seq, ack *uint32 // of this side and of the other
}

func (l *link) Write(b []byte) (int, error) {
	l.c.packets(l, b)
	return l.Conn.Write(b)
}

func (c *capture) packets(l *link, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		n := min(len(b), segmentSize)
		c.packet(l, 0x18, b[:n])
		*l.seq += uint32(n)
		b = b[n:]
	}
}

const frameHead = 14 + 20 + 20

func (c *capture) packet(l *link, flags byte, payload []byte) {
	var b [16 + frameHead]byte
	c.tick += 3
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(1_800_000_000+c.tick/1_000_000))
	le.PutUint32(b[4:], uint32(c.tick%1_000_000))
	le.PutUint32(b[8:], uint32(frameHead+len(payload)))
	le.PutUint32(b[12:], uint32(frameHead+len(payload)))
	eth := b[16:]
	eth[12] = 8
	ip := eth[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
	// The client is 10.0.0.1, with high ports; the server is 10.0.0.2:443.
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	if l.src == serverPort {
		copy(ip[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
	}
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp[0:], l.src)
	binary.BigEndian.PutUint16(tcp[2:], l.dst)
	binary.BigEndian.PutUint32(tcp[4:], *l.seq)
	binary.BigEndian.PutUint32(tcp[8:], *l.ack)
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	for _, part := range [][]byte{b[:], payload} {
		if _, err := c.w.Write(part); err != nil && c.err == nil {
			c.err = err
		}
	}
	c.n += int64(len(b) + len(payload))
}

const serverPort = 443

// generate writes a capture of at least size bytes and its key log.
func generate(pcap, keys string, size int) error {
	f, err := os.Create(pcap)
	if err != nil {
		return err
	}
	k, err := os.Create(keys)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	c := &capture{w: bufio.NewWriterSize(f, 1<<20)}
	head := make([]byte, 24)
	binary.LittleEndian.PutUint32(head, 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 1<<18)
	binary.LittleEndian.PutUint32(head[20:], 1)
	if _, err := c.w.Write(head); err != nil {
		return err
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	requests := 0
	for port := 0; c.n < int64(size) && c.err == nil && err == nil; port++ {
		// Nine tenths of the bytes are bulk, nine tenths of the requests small.
		bodies := []int{bulkBody, bulkBody, bulkBody}
		if port%2 == 1 || size < bulkBody {
			bodies = make([]int, 400)
			if size < bulkBody {
				bodies = bodies[:20]
			}
			for i := range bodies {
				bodies[i] = smallBody
			}
		}
		err = c.connection(uint16(10000+port%50000), cert, k, bodies, &requests)
	}
	return errors.Join(err, c.err, c.w.Flush(), f.Close(), k.Close())
}

// connection lets a client fetch bodies of the given sizes over one connection.
func (c *capture) connection(port uint16, cert tls.Certificate, keys io.Writer, bodies []int, requests *int) error {
	a, b := net.Pipe()
	seqs := [2]uint32{uint32(port) * 7919, uint32(port) * 104729}
	up := &link{a, c, port, serverPort, &seqs[0], &seqs[1]}
	down := &link{b, c, serverPort, port, &seqs[1], &seqs[0]}
	zero := uint32(0)
	c.packet(&link{nil, c, port, serverPort, &seqs[0], &zero}, 0x02, nil)
	seqs[0]++
	c.packet(down, 0x12, nil)
	seqs[1]++
	c.packet(up, 0x10, nil)
	served := make(chan error, 1)
	go func() {
		served <- serve(tls.Server(down, &tls.Config{Certificates: []tls.Certificate{cert}}), bodies, requests)
	}()
	conn := tls.Client(up, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keys, ServerName: "bench.test",
		MinVersion: tls.VersionTLS13})
	r := bufio.NewReader(conn)
	for i := range bodies {
		if _, err := fmt.Fprintf(conn, "GET /object/%d HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n", i); err != nil {
			return err
		}
		if err := answer(r); err != nil {
			return err
		}
	}
	err := conn.CloseWrite()
	if _, e := io.Copy(io.Discard, r); err == nil {
		err = e
	}
	err = errors.Join(err, <-served)
	c.packet(up, 0x11, nil)
	c.packet(down, 0x11, nil)
	return err
}

func serve(conn *tls.Conn, bodies []int, requests *int) error {
	r := bufio.NewReader(conn)
	body := make([]byte, bulkBody)
	for _, n := range bodies {
		for { // the request's head
			line, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if line == "\r\n" {
				break
			}
		}
		status := "200 OK"
		if *requests++; *requests%refused == 0 {
			status, n = "413 Content Too Large", 20
		}
		head := fmt.Sprintf("HTTP/1.1 %s\r\nServer: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", status, n)
		if n <= smallBody {
			if _, err := conn.Write(append([]byte(head), body[:n]...)); err != nil {
				return err
			}
			continue
		}
		if _, err := io.WriteString(conn, head); err != nil {
			return err
		}
		if _, err := conn.Write(body[:n]); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return conn.Close()
}

func answer(r *bufio.Reader) error {
	n := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			fmt.Sscan(v, &n)
		}
		if line == "\r\n" {
			_, err := r.Discard(n)
			return err
		}
	}
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"bench.test"}, NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_000_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
