// Package keys reads TLS secrets out of running programs, as root: uprobes on
// the function that hands them to a library's key log, whether or not anybody
// asked for one. It knows OpenSSL from 1.1.1 on, GnuTLS, and Go's crypto/tls
// from Go 1.18 on; of stripped libraries it finds that function by where it is
// called from. Of sessions that began before it was there it reads what the
// program reads and writes.
//
// It stands between a kernel recorder and its sink and learns there which
// processes there are and what they load: nothing is set up before a program of
// the tree brings one of these libraries. Programs that it does not know (NSS,
// rustls, BoringSSL, Java) can only be asked for a key log. It changes nothing
// in the program and interprets no secret.
package keys

//go:generate go tool -modfile=../../../tools/go.mod bpf2go -cc clang-14 -strip llvm-strip-14 -cflags "-O2 -g -Wall -Wno-unused-function -mcpu=v3" -target amd64 -go-package keys -output-stem bpf -no-global-types bpf bpf/keys.bpf.c
