package service

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect"
)

// said is one turn of a dialogue.
type said struct {
	dir  dissect.Dir
	text string
}

func cl(text string) said { return said{dissect.ToServer, text} }
func sv(text string) said { return said{dissect.ToClient, text} }

func pg(kind byte, body string) string {
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func my(seq byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), seq}) + body
}

func sshPacket(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+2))) + "\x00" + string(kind) + body
}

func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

var dialogues = []struct {
	name, proto string
	talk        []said
	want        []string
}{
	{"mail refused", "smtp", []said{
		sv("220 mail ESMTP\r\n"), cl("EHLO me\r\n"), sv("250-mail\r\n250 AUTH PLAIN\r\n"),
		cl("MAIL FROM:<a@b.c>\r\n"), sv("250 ok\r\n"), cl("RCPT TO:<x@y.z>\r\n"), sv("550-5.7.1 not\r\n550 5.7.1 relaying\r\n"),
		cl("DATA\r\n"), sv("354 go on\r\n"), cl("Subject: QUIT\r\n\r\n550 no reply\r\n.\r\n"), sv("552 too big\r\n"), cl("QUIT\r\n"), sv("221 bye\r\n"),
	}, []string{"550 no: RCPT TO:<x@y.z>: 5.7.1 not 5.7.1 relaying", "552 no: (the mail): too big"}},
	{"log in", "smtp", []said{
		sv("220 mail\r\n"), cl("AUTH LOGIN\r\n"), sv("334 VXNlcm5hbWU6\r\n"), cl("c2VjcmV0\r\n"), sv("535 5.7.8 bad credentials\r\n"),
	}, []string{"535 who: AUTH: 5.7.8 bad credentials"}},
	{"TLS follows", "smtp", []said{
		sv("220 mail\r\n"), cl("STARTTLS\r\n"), sv("220 go\r\n"), cl("\x16\x03\x01"), sv("550 nothing of this is read\r\n"),
	}, nil},
	{"password", "ftp", []said{
		sv("220 FTP\r\n"), cl("USER a\r\n"), sv("331 and?\r\n"), cl("PASS secret\r\n"), sv("530 Login incorrect.\r\n"),
	}, []string{"530 who: PASS: Login incorrect."}},
	{"transfer", "ftp", []said{
		sv("220 FTP\r\n"), cl("RETR x\r\n"), sv("150 here it comes\r\n"), sv("426 broken\r\n"),
	}, []string{"426 no: RETR x: broken"}},
	{"mailbox", "pop3", []said{
		sv("+OK ready\r\n"), cl("USER a\r\n"), sv("+OK\r\n"), cl("PASS b\r\n"), sv("-ERR wrong\r\n"),
	}, []string{" who: PASS: wrong"}},
	{"imap", "imap", []said{
		sv("* OK ready\r\n"), cl("a1 LOGIN joe secret\r\n"), sv("a1 NO [AUTHENTICATIONFAILED] no\r\n"),
		cl("a2 SELECT Sent\r\n"), sv("* 1 FETCH {9}\r\na2 NO xx\n more\r\na2 NO there is none\r\n"),
	}, []string{"NO who: LOGIN joe: [AUTHENTICATIONFAILED] no", "NO no: SELECT Sent: there is none"}},
	{"module", "rsync", []said{
		cl("@RSYNCD: 31.0\n"), sv("@RSYNCD: 31.0\n"), cl("data\n"), sv("@ERROR: Unknown module 'data'\n"),
	}, []string{" no: DATA: Unknown module 'data'"}},
	{"redis", "redis", []said{
		cl("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"), sv("-WRONGPASS invalid\r\n"),
		cl("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), sv("*2\r\n$4\r\n-ERR\r\n*1\r\n:1\r\n"),
		cl("*3\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$2000\r\n" + strings.Repeat("-", 2000) + "\r\n"), sv("-WRONGTYPE other\r\n"),
	}, []string{"WRONGPASS who: AUTH: invalid", "WRONGTYPE no: LPUSH k: other"}},
	{"database", "postgres", []said{
		cl(u32(8) + u32(pgTLS)), sv("N"),
		cl(u32(4+4+strlen("user\x00ann\x00database\x00d\x00\x00")) + u32(196608) + "user\x00ann\x00database\x00d\x00\x00"),
		sv(pg('E', "SFATAL\x00C28000\x00Mno such role\x00\x00")),
	}, []string{"28000 who: user=ann database=d: no such role"}},
	{"query", "postgres", []said{
		cl(u32(9) + u32(196608) + "\x00"), sv(pg('R', u32(0))), cl(pg('Q', "select 1\x00")),
		sv(pg('D', strings.Repeat("E\x00\x00\x00\x09", 4000))), sv(pg('E', "C42P01\x00Mnot there\x00\x00")),
	}, []string{"42P01 no: select 1: not there"}},
	{"mysql", "mysql", []said{
		sv(my(0, "\x0a8.0\x00")), cl(my(1, strings.Repeat("\x00", 40))), sv(my(2, "\xff\x15\x04#28000Access denied")),
	}, []string{"1045 who: (log in): Access denied"}},
	{"mysql query", "mysql", []said{
		sv(my(0, "\x0a8.0\x00")), cl(my(1, strings.Repeat("\x00", 40))), sv(my(2, "\x00\x00\x00\x02\x00\x00\x00")),
		cl(my(0, "\x03select x")), sv(my(1, "\xff\x7a\x04#42S02Table is not there")),
	}, []string{"1146 no: select x: Table is not there"}},
	{"ssh", "ssh", []said{
		cl("SSH-2.0-a\r\n"), sv("SSH-2.0-b\r\n"), sv(sshPacket(20, "kex")), sv(sshPacket(sshDisconnect, u32(3)+u32(6)+"no kex"+u32(0))),
	}, []string{"disconnect 3 no: : no kex"}},
}

func strlen(s string) uint32 { return uint32(len(s)) }

// read feeds a dialogue in pieces of at most n bytes and tells the refusals.
func read(proto string, talk []said, n int) (out []string) {
	c := New(proto)
	for i, s := range talk {
		for len(s.text) > 0 {
			k := min(n, len(s.text))
			for _, r := range c.Feed(dissect.Input{Dir: s.dir, Data: []byte(s.text[:k]), Ref: int64(i)}) {
				if !r.Refused {
					continue
				}
				kind := "no"
				if r.Auth {
					kind = "who"
				}
				out = append(out, fmt.Sprintf("%s %s: %s: %s", r.Code, kind, r.Request, r.Text))
			}
			s.text = s.text[k:]
		}
	}
	return out
}

func TestDialogues(t *testing.T) {
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			for _, n := range []int{1 << 20, 1, 2, 3, 7, 100} {
				if diff := cmp.Diff(d.want, read(d.proto, d.talk, n)); diff != "" {
					t.Errorf("in pieces of %d bytes (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

func TestGapEndsTheReading(t *testing.T) {
	c := New("smtp")
	c.Feed(dissect.Input{Dir: dissect.ToClient, Data: []byte("220 mail\r\n")})
	if out := c.Feed(dissect.Input{Dir: dissect.ToClient, Gap: 10, Data: []byte("550 no\r\n")}); out != nil || !c.Damaged {
		t.Errorf("after a gap: %v, damaged %v", out, c.Damaged)
	}
}

func FuzzFeed(f *testing.F) {
	for _, d := range dialogues {
		for _, s := range d.talk {
			f.Add(d.proto, byte(s.dir), []byte(s.text), byte(5))
		}
	}
	f.Fuzz(func(t *testing.T, proto string, dir byte, data []byte, n byte) {
		if New(proto) == nil {
			return
		}
		d := dissect.Dir(dir & 1)
		whole := []said{cl("x\r\n"), {d, string(data)}, {d.Reverse(), string(data)}}
		if diff := cmp.Diff(read(proto, whole, len(data)+3), read(proto, whole, int(n)+1)); diff != "" {
			t.Errorf("cutting changes the result:\n%s", diff)
		}
	})
}
