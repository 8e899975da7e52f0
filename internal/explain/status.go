package explain

import (
	"fmt"
	"strings"
)

// statuses says what kinds of trouble a program means by its exit status, by
// its own manual. A cause may be given by its family's prefix.
var statuses = map[string]map[int][]string{
	// curl(1), EXIT CODES.
	"curl": {
		5: {"dns-", "proxy-unreachable"}, 6: {"dns-"}, 7: {"connection-refused", "connect-timeout", "network-unreachable", "unix-socket-missing", "proxy-unreachable"},
		18: {"http-truncated-body"}, 22: {"http-"}, 23: {"disk-full", "file-", "path-is-directory", "not-a-directory", "read-only-filesystem", "quota-exceeded", "broken-pipe"},
		26: {"file-"}, 28: {"connect-timeout", "waiting-on-peer", "dns-timeout"}, 35: {"tls-", "connection-reset"}, 37: {"file-"},
		47: {"http-redirect-loop"}, 51: {"tls-"}, 52: {"connection-closed-early"}, 53: {"tls-"}, 55: {"connection-reset", "http-body-too-large"},
		56: {"connection-reset", "connection-closed-early", "tls-", "http-proxy-auth"}, 58: {"tls-"}, 59: {"tls-"}, 60: {"tls-cert", "tls-hostname"},
		66: {"tls-"}, 67: {"http-unauthorized", "service-auth-failed"}, 77: {"file-"}, 78: {"http-not-found", "file-missing"}, 83: {"tls-cert"}, 90: {"tls-"}, 91: {"tls-"},
	},
	// wget(1), EXIT STATUS.
	"wget": {
		3: {"file-", "disk-full", "read-only-filesystem"}, 4: {"dns-", "connection-", "connect-timeout", "network-unreachable", "proxy-unreachable", "waiting-on-peer"},
		5: {"tls-"}, 6: {"http-unauthorized", "service-auth-failed"}, 7: {"http-bad-request"}, 8: {"http-"},
	},
	// pg_isready(1), EXIT STATUS: 2 is "no response to the connection attempt".
	"pg_isready": {2: {"connection-refused", "unix-socket-missing", "connect-timeout", "dns-", "network-unreachable"}},
}

// statusLink ties a finding whose process says by its status that this is why
// it failed.
func statusLink(f *Finding) (Link, bool) {
	if f.Proc == nil || !f.Proc.Ended {
		return Link{}, false
	}
	// A file that was looked for in vain proves nothing beside a status for
	// file trouble in general.
	if len(f.Links) == 0 || f.Conn == nil && !strings.HasPrefix(f.Cause, "dns-") && f.Links[0].Weight <= wProbe {
		return Link{}, false
	}
	code := exitCode(f.Proc.Status)
	for _, cause := range statuses[f.Proc.Name()][code] {
		if f.Cause == cause || strings.HasSuffix(cause, "-") && strings.HasPrefix(f.Cause, cause) {
			return Link{"status", fmt.Sprintf("exit status %d of %s means this kind of trouble", code, f.Proc.Name()), wStatus}, true
		}
	}
	return Link{}, false
}
