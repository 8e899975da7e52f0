package e2e

import (
	"strings"

	"culprit/e2e/stage"
)

// get is a Python client that hides why it failed.
const get = `import sys
import urllib.request

def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()

try:
    fetch(sys.argv[1])
except Exception:
    print("update check failed", file=sys.stderr)
    sys.exit(3)
`

// pyGet runs that client against url.
func pyGet(s *stage.Stage, url string) stage.Run {
	return stage.Run{
		Argv: []string{"/usr/bin/python3", s.File("check.py", get, 0o644), url},
		Env:  []string{"SSL_CERT_FILE=" + s.PKI.CAFile},
	}
}

const pyGetSays = `^update check failed\n$`

func curl(s *stage.Stage, url string, flags ...string) stage.Run {
	return stage.Run{Argv: append(append([]string{"curl", "--cacert", s.PKI.CAFile}, flags...), url)}
}

func httpCases() []Case {
	status := func(name string, code int, path string, secure bool, run func(s *stage.Stage, url string) stage.Run, c Case) Case {
		c.Name = name
		c.Setup = func(s *stage.Stage) stage.Run {
			var cert *stage.Cert
			if secure {
				cert = &s.PKI.Good
			}
			return run(s, s.Status(code, cert)+path)
		}
		return c
	}
	silent := func(s *stage.Stage, url string) stage.Run { return curl(s, url, "-sf") }
	return []Case{
		status("401-curl-tls", 401, "/private/report", true, silent, Case{
			Needs: []string{"curl"}, Code: 22,
			Cause: "http-unauthorized", Facts: []string{`\b401\b`, `/private/report`, `localhost`},
		}),
		status("401-python", 401, "/private/report", false, pyGet, Case{
			Needs: []string{"python3"}, Code: 3, Says: []string{pyGetSays},
			Cause: "http-unauthorized", Facts: []string{`\b401\b`, `/private/report`},
		}),
		status("403-wget", 403, "/simple/acme-billing/", false, func(s *stage.Stage, url string) stage.Run {
			return stage.Run{Argv: []string{"wget", "-q", "-O", "page", url}}
		}, Case{
			Needs: []string{"wget"}, Code: 8,
			Cause: "http-forbidden", Facts: []string{`\b403\b`, `/simple/acme-billing/`},
		}),
		status("403-python-tls", 403, "/simple/acme-billing/", true, pyGet, Case{
			Needs: []string{"python3"}, Code: 3, Says: []string{pyGetSays},
			Cause: "http-forbidden", Facts: []string{`\b403\b`, `/simple/acme-billing/`, `check\.py`},
		}),
		status("404-curl-in-script", 404, "/boards/m4/settings", false, func(s *stage.Stage, url string) stage.Run {
			return stage.Run{Argv: []string{"sh", s.File("configure", `curl -sf "$1" > settings || { echo "configure: no usable board" >&2; exit 2; }`+"\n", 0o644), url}}
		}, Case{
			Needs: []string{"curl"}, Code: 2, Says: []string{`^configure: no usable board\n$`},
			Cause: "http-not-found", Facts: []string{`\b404\b`, `/boards/m4/settings`},
		}),
		status("404-git", 404, "/acme/app.git", false, func(s *stage.Stage, url string) stage.Run {
			return stage.Run{Argv: []string{"git", "clone", "-q", url, "app"}, Env: []string{"GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}}
		}, Case{
			Needs: []string{"git"}, Code: 128, Says: []string{`repository '\S+' not found`},
			Cause: "http-not-found", Facts: []string{`\b404\b`, `/acme/app\.git/info/refs`},
		}),
		status("500-python", 500, "/api/sync", false, pyGet, Case{
			Needs: []string{"python3"}, Code: 3, Says: []string{pyGetSays},
			Cause: "http-server-error", Facts: []string{`\b500\b`, `/api/sync`},
		}),
		status("500-curl-tls", 500, "/api/sync", true, silent, Case{
			Needs: []string{"curl"}, Code: 22,
			Cause: "http-server-error", Facts: []string{`\b500\b`, `/api/sync`},
		}),
	}
}

// hostPort takes the scheme off a URL.
func hostPort(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return rest
}

func networkCases() []Case {
	refused := []string{`127\.0\.0\.1`, `ECONNREFUSED|refused`}
	nxdomain := []string{`registry\.acme\.invalid`, `(?i)NXDOMAIN|does not exist|no such name|not found`}
	const name = "http://registry.acme.invalid/v2/"
	return []Case{
		{
			Name: "refused-python", Needs: []string{"python3"},
			Setup: func(s *stage.Stage) stage.Run { return pyGet(s, s.Refused()+"/") },
			Code:  3, Says: []string{pyGetSays},
			Cause: "connection-refused", Facts: refused,
		}, {
			Name: "refused-curl", Needs: []string{"curl"},
			Setup: func(s *stage.Stage) stage.Run { return curl(s, s.Refused()+"/", "-s") },
			Code:  7,
			Cause: "connection-refused", Facts: refused,
		}, {
			Name: "refused-perl", Needs: []string{"perl"},
			Setup: func(s *stage.Stage) stage.Run {
				const script = `use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => shift) or do { print STDERR "spool: queue manager is down\n"; exit 4 };` + "\n"
				return stage.Run{Argv: []string{"perl", s.File("spool.pl", script, 0o644), hostPort(s.Refused())}}
			},
			Code: 4, Says: []string{`^spool: queue manager is down\n$`},
			Cause: "connection-refused", Facts: refused,
		}, {
			Name: "reset-python", Needs: []string{"python3"},
			Setup: func(s *stage.Stage) stage.Run { return pyGet(s, s.Reset()+"/feed") },
			Code:  3, Says: []string{pyGetSays},
			Cause: "connection-reset", Facts: []string{`ECONNRESET`, `127\.0\.0\.1|localhost`},
		}, {
			Name: "reset-curl", Needs: []string{"curl"},
			Setup: func(s *stage.Stage) stage.Run { return curl(s, s.Reset()+"/feed", "-s") },
			Code:  56,
			Cause: "connection-reset", Facts: []string{`ECONNRESET`, `127\.0\.0\.1|localhost`},
		}, {
			Name: "nxdomain-python", Needs: []string{"python3", "root", "unshare"},
			Setup: func(s *stage.Stage) stage.Run {
				run := pyGet(s, name)
				run.Prefix = s.NoSuchName()
				return run
			},
			Code: 3, Says: []string{pyGetSays},
			Cause: "dns-name-not-found", Facts: nxdomain,
		}, {
			Name: "nxdomain-curl", Needs: []string{"curl", "root", "unshare"},
			Setup: func(s *stage.Stage) stage.Run {
				run := curl(s, name, "-s")
				run.Prefix = s.NoSuchName()
				return run
			},
			Code:  6,
			Cause: "dns-name-not-found", Facts: nxdomain,
		}, {
			Name: "nxdomain-getent", Needs: []string{"getent", "root", "unshare"},
			Setup: func(s *stage.Stage) stage.Run {
				return stage.Run{Argv: []string{"getent", "ahosts", "registry.acme.invalid"}, Prefix: s.NoSuchName()}
			},
			Code:  2,
			Cause: "dns-name-not-found", Facts: nxdomain,
		},
	}
}

func tlsCases() (all []Case) {
	certs := []struct {
		name, cause string
		cert        func(*stage.PKI) *stage.Cert
		facts       []string
	}{
		{"expired", "tls-cert-expired", func(p *stage.PKI) *stage.Cert { return &p.Expired }, []string{`2023-03-01|Mar +1 .*2023|1 Mar 2023`, `localhost`}},
		{"untrusted", "tls-cert-untrusted", func(p *stage.PKI) *stage.Cert { return &p.Untrusted }, []string{`Acme Internal Root 7`, `localhost`}},
		{"wronghost", "tls-hostname-mismatch", func(p *stage.PKI) *stage.Cert { return &p.WrongHost }, []string{`feeds\.acme\.example`, `localhost`}},
	}
	for _, c := range certs {
		url := func(s *stage.Stage) string { return s.Status(200, c.cert(s.PKI)) + "/feed" }
		all = append(all,
			Case{
				Name: c.name + "-curl", Needs: []string{"curl"},
				Setup: func(s *stage.Stage) stage.Run { return curl(s, url(s), "-sf") },
				Code:  60, Cause: c.cause, Facts: c.facts,
			},
			Case{
				Name: c.name + "-python", Needs: []string{"python3"},
				Setup: func(s *stage.Stage) stage.Run { return pyGet(s, url(s)) },
				Code:  3, Says: []string{pyGetSays}, Cause: c.cause, Facts: append([]string{`check\.py`}, c.facts...),
			},
			Case{
				Name: c.name + "-python3.13", Needs: []string{"python3.13"},
				Setup: func(s *stage.Stage) stage.Run {
					run := pyGet(s, url(s))
					run.Argv[0] = stage.Python("python3.13")
					return run
				},
				Code: 3, Says: []string{pyGetSays}, Cause: c.cause, Facts: append([]string{`check\.py`}, c.facts...),
			},
			Case{ // GnuTLS, which writes no key log unless asked
				Name: c.name + "-wget", Needs: []string{"wget"},
				Setup: func(s *stage.Stage) stage.Run {
					return stage.Run{Argv: []string{"wget", "-q", "--ca-certificate=" + s.PKI.CAFile, "-O", "feed", url(s)}}
				},
				Code: 5, Cause: c.cause, Facts: c.facts,
			},
			Case{
				Name: c.name + "-git", Needs: []string{"git"},
				Setup: func(s *stage.Stage) stage.Run {
					return stage.Run{Argv: []string{"git", "clone", "-q", url(s), "app"},
						Env: []string{"GIT_SSL_CAINFO=" + s.PKI.CAFile, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}}
				},
				Code: 128, Says: []string{`fatal: unable to access '\S+'`}, Cause: c.cause, Facts: c.facts,
			})
	}
	return all
}
