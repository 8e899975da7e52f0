"""The runs that are recorded. A name is CAUSE.VARIANT: the verdict that the run
must get, and what is special about it. A near miss of a cause is a case of
another cause in which the trouble is there and harmless.
"""
from dataclasses import dataclass, field


@dataclass
class Case:
    argv: list
    files: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    flags: list = field(default_factory=list)  # of culprit run
    before: str = ""  # shell, ahead of the recording
    after: str = ""
    resolv: str = ""  # /etc/resolv.conf for this case
    user: bool = False  # run as nobody


PY, PY38, PY313 = "/usr/bin/python3", "/opt/python3.8/bin/python3.8", "/opt/python3.13/bin/python3.13"
CA = "/etc/ssl/certs/ca-certificates.crt"
WEB = "http://localhost:8080"
NO_INJECT = ["--no-inject"]


def sh(script, files=None, **more):
    return Case(["sh", "job.sh"], {"job.sh": script + "\n", **(files or {})}, **more)


def py(source, python=PY, *args, files=None, **more):
    return Case([python, "job.py", *args], {"job.py": source.lstrip("\n"), **(files or {})}, **more)


def curl(*args, **more):
    return Case(["curl", "-s", *args], **more)


LOADER = """
import json
import sys

try:
    open("/etc/acme.json")
except OSError:
    pass
try:
    open(json.load(open("job.json"))["tables"])
except OSError:
    sys.exit(1)
"""

MIRROR = 'ls /srv/cache >/dev/null 2>&1\ncurl -sf "$(cat mirror)" >index || { echo "no index" >&2; exit 1; }'

# What differs between any two runs: names that were made up, the order of
# threads, process numbers, the number of tries.
NOISE = """
import os
import random
import tempfile
import threading
import time


def work(n):
    time.sleep(random.random() / 50)
    with open("/tmp/case/job.py") as f:
        f.read()


with tempfile.NamedTemporaryFile() as t, tempfile.TemporaryDirectory() as d:
    open("%s/%d.part" % (d, os.getpid()), "w").close()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    for n in range(random.randrange(3, 9)):
        os.path.exists("/srv/none")
print("took", time.time())
"""

UPLOAD = """
import http.client
import socket
import ssl
import sys


class UploadError(Exception):
    pass


def connect(url):
    scheme, _, host = url.partition("://")
    if scheme == "https":
        return http.client.HTTPSConnection(host, context=ssl.create_default_context(cafile="%s"))
    return http.client.HTTPConnection(host)


def upload(url):
    c = connect(url)
    try:
        c.putrequest("POST", "/api/asciicasts")
        c.putheader("Content-Length", "12444474")
        c.endheaders()
        for _ in range(12444474 // 4096 + 1):
            c.send(bytes(4096))
        return c.getresponse().status
    except OSError as e:
        raise UploadError("connection failed") from None


try:
    upload(sys.argv[1])
except UploadError as e:
    print("upload failed, retry later:", e, file=sys.stderr)
    sys.exit(1)
""" % CA

FETCH = """
import sys
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
        answer.read()
except Exception:
    print("update check failed", file=sys.stderr)
    sys.exit(3)
"""

# The same without urllib: a quarter of the recording.
TALK = """
import socket
import sys

def fetch(port):
    with socket.create_connection(("localhost", port)) as s:
        s.sendall(b"GET /status/%s HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n" % sys.argv[2].encode())
        return s.recv(1000)

try:
    fetch(int(sys.argv[1]))
except OSError:
    sys.exit(3)
"""

UNIX = """
import socket
import sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
except OSError:
    sys.exit("daemon is not there")
"""

HANDSHAKE = """
import socket
import ssl
import sys

try:
    with socket.create_connection(("localhost", int(sys.argv[1]))) as s:
        ssl.create_default_context(cafile="%s").wrap_socket(s, server_hostname="localhost")
except Exception:
    print("mirror is not usable", file=sys.stderr)
    sys.exit(3)
""" % CA

MAIL = """
import socket
import sys
s = socket.create_connection(("localhost", 8027))
f = s.makefile("rwb")

def say(text):
    f.write(text + b"\\r\\n")
    f.flush()
    line = f.readline()
    while line[3:4] == b"-":
        line = f.readline()
    return line[:1] in b"23"

f.readline()
ok = say(b"EHLO me") and say(b"MAIL FROM:<me@example.test>") and say(b"RCPT TO:<%s@example.test>" % sys.argv[1].encode())
if not ok:
    print("the report was not sent", file=sys.stderr)
    sys.exit(1)
"""

def said(port, data, words):
    """What a server says to some bytes, and a program that gives up over it. In
    bash: the recording is small."""
    text = "".join(f"\\x{b:02x}" for b in data)
    return Case(["bash", "job.sh"], {"job.sh": f"exec 3<>/dev/tcp/localhost/{port}\nprintf '{text}' >&3\nread -r -N 1000 got <&3\necho '{words}' >&2\nexit 3\n"})


def call(method):
    """A call of gRPC, in a header without indices (RFC 7541 section 6.2.2)."""
    from server import frame, literals

    block = literals((b":method", b"POST"), (b":path", b"/stock.v1.Stock/" + method), (b":scheme", b"http"), (b":authority", b"localhost"),
                     (b"content-type", b"application/grpc"))
    return said(8032, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, block), "stock: the call failed")


DIVIDE = """
def share(total, people):
    return total / people

def main():
    print(share(100, 0))

main()
"""

SWALLOW = """
import sys

def export(row):
    return row["customer_id"]

def main():
    try:
        export({"id": 7})
    except Exception:
        print("nothing exported")
        return 1
    return 0

sys.exit(main())
"""

CRASH = """#include <stdio.h>
int main(void) {
	puts("filling");
	fflush(stdout);
	*(volatile int *)12 = 7;
}
"""

DEEP = {"table.c": """__attribute__((noinline)) int put(int *cell, int n) { *cell = n; return n; }
int fill(int *cells, int n) { return put(cells, n) + put(cells + n, n); }
""", "deep.c": """int fill(int *, int);
__attribute__((noinline)) int build(int n) { return fill((int *)16, n) + 1; }
int main(int argc, char **argv) { return build(argc) + 1; }
""", "check.cc": """#include <cassert>
namespace acme { struct Ledger { int balance; __attribute__((noinline)) void check(int least) { assert(balance >= least); } }; }
int main(int argc, char **argv) { acme::Ledger l{-argc}; l.check(0); return 0; }
"""}

CASES = {
    # HTTP
    "http-body-too-large.python3.8": py(UPLOAD, PY38, "http://localhost:8413"),
    "http-body-too-large.tls": py(UPLOAD, PY, "https://localhost:8443"),
    "http-body-too-large.no-inject": py(UPLOAD, PY, "http://localhost:8413", flags=NO_INJECT),
    "http-body-too-large.curl": sh('curl -sf -H Expect: -F asciicast=@cast http://localhost:8413/api/asciicasts || { echo "backup: upload failed" >&2; exit 1; }',
                                   before="head -c 12444474 /dev/zero > cast"),
    # Without keys the answer can't be read, so that the broken connection is all there is.
    "connection-reset.tls-upload-no-inject": py(UPLOAD, PY, "https://localhost:8443", flags=NO_INJECT),
    "http-unauthorized.curl": curl("-f", WEB + "/status/401"),
    "http-unauthorized.curl-tls": curl("-f", "--cacert", CA, "https://localhost:8444/status/401"),
    "http-forbidden.wget": Case(["wget", "-q", "-O", "page", WEB + "/status/403"]),
    "http-forbidden.no-inject": py(FETCH, PY, WEB + "/status/403", flags=NO_INJECT),
    "http-not-found.script": sh(f'curl -sf {WEB}/status/404 > settings || {{ echo "configure: no usable board" >&2; exit 2; }}'),
    "http-not-found.python3.13": py(FETCH, PY313, WEB + "/status/404"),
    "http-server-error.curl": curl("-f", WEB + "/status/500"),
    "http-server-error.unavailable": curl("-f", WEB + "/status/503"),
    "http-gateway-error.curl": curl("-f", WEB + "/status/502"),
    "http-rate-limited.curl": curl("-f", WEB + "/status/429"),
    "http-method-not-allowed.curl": curl("-f", "-X", "PUT", "-d", "x", WEB + "/status/405"),
    "http-bad-request.curl": curl("-f", WEB + "/status/422"),
    "http-proxy-auth.curl": curl("-f", "http://good.example.test/x", env={"http_proxy": WEB}),
    "http-truncated-body.curl": curl("-o", "half.gz", WEB + "/half"),
    "http-unexpected-content.python": py("""
import json
import urllib.request

def boards():
    return json.load(urllib.request.urlopen("http://localhost:8080/session"))

print(boards())
"""),
    # near misses: the refusal is there, and the run failed for something else
    "python-exception.after-404": py("""
import http.client

def fetch(path):
    c = http.client.HTTPConnection("localhost", 8080)
    c.request("GET", path)
    answer = c.getresponse()
    return answer.read() if answer.status == 200 else b""

def main():
    text = fetch("/status/404") or fetch("/ok")
    with open("copy.txt", "wb") as f:
        f.write(text)
    return int(text)

main()
"""),
    "file-missing.after-503-retried": sh(f"for i in 1 2; do curl -sf {WEB}/flaky/a > a && break; done\ncat a etc/table.csv"),
    "file-missing.after-401-answered": sh(f"curl -sf --anyauth -u me:open {WEB}/auth/x > got && cat got etc/table.csv"),
    "file-missing.after-413-retried": sh("head -c 300000 /dev/zero > cast; head -c 3000 cast > less\n"
                                         f"curl -sf -H Expect: -F a=@cast http://localhost:8413/a || curl -sf -F a=@less {WEB}/ok > a\ncat a etc/table.csv"),
    # connections
    "connection-refused.curl": curl("http://localhost:9/"),
    "connection-refused.python": py(TALK, PY, "9", "200"),
    "connection-refused.no-inject": py(TALK, PY, "9", "200", flags=NO_INJECT),
    "connection-refused.unix-python": py(UNIX, PY, "idle.sock"),
    "connection-refused.unix": curl("--unix-socket", "idle.sock", "http://localhost/"),
    "http-not-found.happy-eyeballs": curl("-f", "http://dual.example.test:8080/status/404"),
    "connect-timeout.curl": curl("http://127.0.0.1:8099/"),
    "network-unreachable.curl": curl("http://192.0.2.7/"),
    "unix-socket-missing.python": py(UNIX, PY, "run/app.sock"),
    "unix-socket-missing.curl": curl("--unix-socket", "run/app.sock", "http://localhost/"),
    "proxy-unreachable.script": sh("http_proxy=http://localhost:9 curl -sf http://good.example.test/"),
    "proxy-unreachable.curl": curl("http://good.example.test/", env={"http_proxy": "http://localhost:9"}),
    "connection-reset.curl": curl("http://localhost:8022/feed"),
    "connection-reset.python": py(TALK, PY, "8022", "200"),
    "connection-reset.no-inject": py(TALK, PY, "8022", "200", flags=NO_INJECT),
    "connection-closed-early.curl": curl("http://localhost:8023/feed"),
    "service-error.greeting": py("""
import socket
import sys
s = socket.create_connection(("localhost", 8025))
text = b""
while b"220 ready" not in text:
    more = s.recv(100)
    if not more:
        sys.exit(4)
    text += more
"""),
    "service-error.mail": py(MAIL, PY, "all"),
    "service-error.mail-no-inject": py(MAIL, PY, "all", flags=NO_INJECT),
    "service-error.grpc": call(b"Get"),
    "service-error.http2-reset": call(b"Reset"),
    "service-error.http2-goaway": call(b"Calm"),
    "service-error.websocket": said(8033, b"GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "feed: lost"),
    "service-auth-failed.grpc": call(b"List"),
    "service-auth-failed.redis": py("""
import socket
import sys
s = socket.create_connection(("localhost", 8028))
s.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$3\\r\\nkey\\r\\n")
if s.recv(100)[:1] != b"$":
    sys.exit("cache: nothing there")
"""),
    "file-missing.after-550-other-address": sh("/usr/bin/python3 mail.py all 2>/dev/null || /usr/bin/python3 mail.py ann\ncat etc/table.csv", files={"mail.py": MAIL}),
    "waiting-on-peer.patience": py("""
import socket
import sys
s = socket.create_connection(("localhost", 8029), timeout=0.8)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
try:
    s.recv(100)
except OSError:
    sys.exit("sync failed")
"""),
    "waiting-on-peer.timeout": sh('timeout 1 curl -s http://localhost:8029/ || { echo "no feed" >&2; exit 1; }'),
    "plaintext-to-tls-port.words": curl("-f", "http://localhost:8030/api"),
    "plaintext-to-tls-port.alert": py("""
import socket
import sys
s = socket.create_connection(("localhost", 8031))
s.sendall(b"LOGIN\\n")
if s.recv(100) != b"OK":
    sys.exit(1)
"""),
    "http-redirect-loop.curl": curl("-fL", WEB + "/circle/a"),
    "file-missing.after-reset-retried": sh(f"curl -s http://localhost:8022/x > x || curl -s {WEB}/ok > x\ncat x etc/table.csv"),
    # names
    "dns-name-not-found.curl": curl("http://registry.acme.invalid/v2/"),
    "dns-name-not-found.python": py("""
import socket
import sys
try:
    socket.getaddrinfo("registry.acme.invalid", 443)
except OSError:
    sys.exit("registry: try again")
"""),
    "dns-name-not-found.no-inject": py("""
import socket
import sys
try:
    socket.getaddrinfo("registry.acme.invalid", 443)
except OSError:
    sys.exit("registry: try again")
""", flags=NO_INJECT),
    "dns-name-not-found.getent": Case(["getent", "ahosts", "registry.acme.invalid"]),
    "dns-server-failure.curl": curl("http://broken.acme.invalid/"),
    "dns-no-server.curl": curl("http://registry.acme.invalid/", resolv="nameserver 127.0.0.2\noptions timeout:1 attempts:1\n"),
    "dns-timeout.curl": curl("http://silent.acme.invalid/"),
    "http-not-found.search-domain": curl("-f", "http://www:8080/status/404",
                                         resolv="search corp.invalid example.test\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
    # TLS
    "tls-cert-expired.curl": curl("--cacert", CA, "https://localhost:8445/ok"),
    "tls-cert-expired.python": py(HANDSHAKE, PY, "8445"),
    "tls-cert-expired.tls1.2-no-inject": curl("--cacert", CA, "--tls-max", "1.2", "https://localhost:8445/ok", flags=NO_INJECT),
    "tls-cert-untrusted.curl": curl("--cacert", CA, "https://localhost:8446/ok"),
    "tls-cert-untrusted.python3.13": py(HANDSHAKE, PY313, "8446"),
    "tls-cert-untrusted.wget": Case(["wget", "-q", "--ca-certificate=" + CA, "-O", "feed", "https://localhost:8446/ok"]),
    "tls-cert-untrusted.tls1.2-no-inject": curl("--cacert", CA, "--tls-max", "1.2", "https://localhost:8446/ok", flags=NO_INJECT),
    "tls-hostname-mismatch.curl": curl("--cacert", CA, "https://localhost:8447/ok"),
    "tls-hostname-mismatch.tls1.2-no-inject": curl("--cacert", CA, "--tls-max", "1.2", "https://localhost:8447/ok", flags=NO_INJECT),
    "tls-cert-not-yet-valid.curl": curl("--cacert", CA, "https://localhost:8449/ok"),
    "tls-version-mismatch.curl": curl("--cacert", CA, "--tls-max", "1.2", "https://localhost:8448/ok"),
    "tls-cipher-mismatch.curl": curl("--cacert", CA, "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305", "https://localhost:8450/ok"),
    "tls-client-cert-required.tls1.2": curl("--cacert", CA, "https://localhost:8451/ok"),
    "tls-client-cert-required.curl": curl("--cacert", CA, "https://localhost:8452/ok"),
    "tls-alert.curl": curl("--cacert", CA, "https://localhost:8453/ok"),
    "tls-to-plaintext-port.ssh-like": curl("--cacert", CA, "https://localhost:8026/ok"),
    "tls-to-plaintext-port.curl": curl("--cacert", CA, "https://localhost:8080/ok"),
    # TLS 1.3 hides the certificate from those who have no keys.
    "unknown.cert-expired-no-inject": curl("--cacert", CA, "https://localhost:8445/ok", flags=NO_INJECT),
    # The certificate was not even checked: what failed is the request.
    "http-not-found.expired-but-insecure": curl("-fk", "https://localhost:8445/status/404"),
    "file-missing.after-expired-mirror": sh(f"for p in 8445 8444; do curl -sf --cacert {CA} https://localhost:$p/ok > got && break; done\ncat got etc/table.csv"),
    # files
    "file-missing.cat": Case(["cat", "etc/app.conf"]),
    "file-missing.python": py("""
import sys
try:
    conf = open("etc/app.json").read()
except OSError:
    sys.exit("app: not configured")
"""),
    "file-missing.python3.8": py("open('etc/app.json')\n", PY38),
    "file-missing.redirect": sh("date > out/today.txt 2>/dev/null || exit 9"),
    "file-missing.no-inject": py("import sys\ntry:\n    open('etc/app.json')\nexcept OSError:\n    sys.exit('app: not configured')\n", flags=NO_INJECT),
    "file-permission.cat": Case(["cat", "keys/api.key"], {"keys/api.key": "secret\n"}, before="chmod 600 keys/api.key", user=True),
    "file-permission.python": py("""
import sys
try:
    key = open("keys/api.key").read()
except Exception:
    sys.exit("sign: bad key")
""", files={"keys/api.key": "secret\n"}, before="chmod 600 keys/api.key", user=True),
    "file-permission.no-inject": py("""
import sys
try:
    key = open("keys/api.key").read()
except Exception:
    sys.exit("sign: bad key")
""", files={"keys/api.key": "secret\n"}, before="chmod 600 keys/api.key", user=True, flags=NO_INJECT),
    "not-a-directory.cat": Case(["cat", "etc2/app.conf"], {"etc2": "a file\n"}),
    "path-is-directory.cat": Case(["cat", "data"], before="mkdir -p data"),
    "path-is-directory.python": py("open('data')\n", before="mkdir -p data"),
    "disk-full.dd": Case(["dd", "if=/dev/zero", "of=full/image", "bs=4096", "count=100"], after="rm -f full/image"),
    "read-only-filesystem.mkdir": Case(["mkdir", "ro/new"]),
    "read-only-filesystem.touch": Case(["touch", "ro/stamp"]),
    "symlink-loop.cat": Case(["cat", "loop"], before="ln -sfn loop loop"),
    "name-too-long.touch": Case(["touch", "n" * 300]),
    "io-error.cat": Case(["cat", "/proc/self/mem"]),
    "text-file-busy.cp": Case(["cp", "/bin/true", "busy"], before="cp /bin/sleep busy; ./busy 3 & sleep 0.2", after="sleep 3; rm busy"),
    "file-missing.permission-optional": Case(["sh", "-c", "cat keys/api.key 2> /dev/null; cp /etc/hosts /tmp/case/mine; cat etc/table.csv"],
                                             {"keys/api.key": "secret\n"}, before="chmod 600 keys/api.key", user=True),
    "ok.optional-config-missing": py("""
import json
try:
    conf = json.load(open("optional.json"))
except FileNotFoundError:
    conf = {}
print(len(conf))
"""),
    "python-exception.optional-config-missing": py("""
try:
    conf = open("optional.json").read()
except FileNotFoundError:
    conf = ""
with open("out.txt", "w") as f:
    f.write(conf)
limit = int(conf or "none")
"""),
    "connection-refused.optional-config-missing": sh("cat .apprc 2>/dev/null\ncurl -s http://localhost:9/\nexit 1"),
    # programs
    "command-not-found.spawn": Case(["acme-sign", "--all"]),
    "command-not-found.sh": sh("set -e\nacme-sign --all\necho done"),
    "command-not-found.hidden": sh("acme-sign --all 2>/dev/null || { echo 'signing failed'; exit 1; }"),
    "command-not-found.python": py("import subprocess\nsubprocess.run(['acme-sign', '--all'], check=True)\n"),
    "interpreter-missing.bash": Case(["bash", "-c", "./tool"], {"tool": "#!/usr/bin/acme-python\n"}),
    "interpreter-missing.spawn": Case(["./tool"], {"tool": "#!/usr/bin/acme-python\n"}),
    "interpreter-missing.script": Case(["sh", "-c", "./tool"], {"tool": "#!/usr/bin/acme-python\n"}),
    "exec-permission.plain": Case(["./notes.txt"], {"notes.txt": "echo hi\n"}),
    "exec-permission.sh": Case(["sh", "-c", "./notes.txt"], {"notes.txt": "echo hi\n"}),
    "exec-format.bash": Case(["bash", "-c", "./image"], {"image": b"\x7fELF" + bytes(60)}, before="chmod 755 image"),
    "exec-format.python": py("import subprocess\nsubprocess.run(['./image'])\n", files={"image": b"\x7fELF" + bytes(60)}, before="chmod 755 image"),
    "file-missing.command-optional": sh("acme-colour --auto 2> /dev/null || true\ncp /etc/hosts copy\ncat etc/table.csv"),
    "python-exception.command-optional": py("""
import shutil
import subprocess
try:
    subprocess.run(["acme-colour", "--help"], check=True)
except FileNotFoundError:
    pass
with open("report.txt", "w") as f:
    f.write("plain")
print({}["total"])
"""),
    "shared-library-missing.c": Case(
        ["./app"], {"lib.c": "int f(void) { return 7; }\n", "app.c": "int f(void);\nint main(void) { return f(); }\n"},
        before="gcc -shared -fPIC -o libledger.so lib.c && gcc -o app app.c -L. -lledger && rm libledger.so"),
    "python-exception.library-optional": py("""
import ctypes
try:
    ctypes.CDLL("libacme-fast.so.1")
except OSError:
    pass
with open("out.txt", "w") as f:
    f.write("slow")
print([][3])
"""),
    "symbol-missing.c": Case(
        ["./app2"], {"lib.c": "int f(void) { return 7; }\n", "app.c": "int f(void);\nint main(void) { return f(); }\n"},
        env={"LD_LIBRARY_PATH": "/tmp/case/lib"},
        before="gcc -shared -fPIC -o libledger.so lib.c && gcc -Wl,-z,now -o app2 app.c -L. -lledger && mkdir -p lib &&"
               " echo 'int g;' > none.c && gcc -shared -fPIC -o lib/libledger.so none.c"),
    # Python
    "python-module-missing.plain": py("import acme_ledger.tables\n"),
    "python-module-missing.python3.8": py("import acme_ledger.tables\n", PY38),
    "python-module-missing.no-inject": py("import acme_ledger.tables\n", flags=NO_INJECT),
    "python-module-missing.hidden": py("""
import sys
try:
    import acme_ledger
except ImportError:
    sys.exit("job: cannot start")
""", PY313),
    "python-exception.plain": py(DIVIDE),
    "python-exception.python3.8": py(DIVIDE, PY38),
    "python-exception.python3.13": py(DIVIDE, PY313),
    "python-exception.no-inject": py(DIVIDE, flags=NO_INJECT),
    "python-exception.optional-module": py("""
try:
    import acme_fast_json as json
except ImportError:
    import json
open("state.json", "w").write("{}")
print(json.loads(open("state.json").read())["total"])
"""),
    "python-swallowed-exception.plain": py(SWALLOW),
    "python-swallowed-exception.python3.8": py(SWALLOW, PY38),
    "python-swallowed-exception.python3.13": py(SWALLOW, PY313),
    # Without the agent nobody knows: the words say too little.
    "unknown.swallowed-no-inject": py(SWALLOW, flags=NO_INJECT),
    "encoding-error.python": py("text = open('names.csv', encoding='utf-8').read()\n", files={"names.csv": b"id;name\n7;M\xfcller\n"}),
    "encoding-error.write": py("print('Z\\xfcrich')\n", env={"PYTHONIOENCODING": "ascii"}),
    "python-exception.encoding-second-try": py("""
try:
    text = open("names.csv", encoding="utf-8").read()
except UnicodeDecodeError:
    text = open("names.csv", encoding="latin-1").read()
with open("names.txt", "w") as f:
    f.write(text)
print(int(text[:2]))
""", files={"names.csv": b"id;name\n7;M\xfcller\n"}),
    "python-exception.env-optional": py("""
import os
try:
    colour = os.environ["ACME_COLOUR"]
except KeyError:
    colour = "none"
with open("out.txt", "w") as f:
    f.write(colour)
print(int(colour))
"""),
    "env-missing.python3.8": py("import os\ntoken = os.environ['ACME_TOKEN']\n", PY38),
    "env-missing.python": py("import os\ntoken = os.environ['ACME_TOKEN']\n"),
    # signals
    "crashed.c": Case(["./crash"], {"crash.c": CRASH}, before="gcc -o crash crash.c"),
    "crashed.library": Case(["./deep"], DEEP, before="gcc -O1 -shared -fPIC -o libtable.so table.c && gcc -O1 -o deep deep.c ./libtable.so"),
    "crashed.assert": Case(["./check"], DEEP, before="g++ -O1 -o check check.cc"),
    "crashed.script": Case(["sh", "-c", "./crash > /dev/null || { echo 'table not built' >&2; exit 4; }"], {"crash.c": CRASH}, before="gcc -o crash crash.c"),
    "crashed.python": py("import ctypes\nctypes.string_at(16)\n"),
    "killed-by.helper": sh("(sleep 0.3; kill -KILL $$) &\nexec sleep 5"),
    "file-missing.own-helper-killed": sh("sleep 9 &\nkill -KILL $!; wait $! 2> /dev/null\ncat etc/table.csv"),
    "file-missing.helper-crashed-expected": sh("./crash > /dev/null 2>&1\ncp /etc/hosts copy\ncat etc/table.csv", before="cat > crash.c <<E\n" + CRASH + "E\ngcc -o crash crash.c"),
    # neither
    "ok.plain": Case(["cat", "/etc/hosts"]),
    "ok.python-exceptions": py("""
for key in ("a", "b"):
    try:
        {}[key]
    except KeyError:
        pass
print(sum(iter([1, 2])))
"""),
    "unknown.exit": Case(["sh", "-c", "exit 3"]),
    "unknown.optional-config-missing": sh("cat .apprc 2>/dev/null\ncp /etc/hosts copy; cp copy copy2; cp copy2 copy3; cp copy3 copy4; cp copy4 copy5\nexit 3"),
    # files that are not in their form
    "config-invalid.json": py("""
import json
import sys
try:
    json.load(open("app.json"))
except ValueError:
    print("cannot start", file=sys.stderr)
    sys.exit(2)
""", files={"app.json": '{\n "port": 80\n "host": "a"\n}\n'}),
    "config-invalid.json-no-inject": py("""
import json
import sys
try:
    json.load(open("app.json"))
except ValueError:
    print("cannot start", file=sys.stderr)
    sys.exit(2)
""", files={"app.json": '{\n "port": 80\n "host": "a"\n}\n'}, flags=NO_INJECT),
    "config-invalid.words": Case(["ssh", "-F", "jump.conf", "localhost"], {"jump.conf": "Host *\n  Colour red\n"}),
    "config-invalid.awk": sh('awk -f report.awk /dev/null 2>/dev/null || { echo "no report" >&2; exit 1; }', files={"report.awk": "BEGIN { print (1 }\n"}),
    "file-missing.config-warned": sh('echo "app.conf:2: warning: unknown key colour" >&2; cat app.conf etc/table.csv', files={"app.conf": "a\ncolour = red\n"}),
    # Python files that are none
    "python-syntax-error.plain": py("def f(:\n    pass\n"),
    "python-syntax-error.python3.8": py("x = 1\nmatch x:\n    case 1:\n        pass\n", PY38),
    "python-syntax-error.import": py("""
import sys
try:
    import plugin
except Exception:
    sys.exit("no plugins")
""", files={"plugin.py": "print 'hello'\n"}),
    # command lines
    "bad-arguments.getopt": sh('sort --frobnicate /dev/null 2>/dev/null || { echo "no list" >&2; exit 1; }'),
    "bad-arguments.argparse": sh('/usr/bin/python3 tool.py --colour red 2>/dev/null || { echo "no list" >&2; exit 1; }',
                                 files={"tool.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--color')\np.parse_args()\n"}),
    "file-missing.option-probed": sh("sort --frobnicate /dev/null 2>/dev/null || sort /dev/null\ncat etc/table.csv"),
    # variables
    "env-missing.shell": Case(["bash", "job.sh"], {"job.sh": "set -u\necho to $DEPLOY_HOST\n"}),
    "file-missing.variable-optional": sh('echo "EDITOR_THEME is not set, using plain" >&2\ncat etc/table.csv'),
    # what is looked for along a path
    "file-missing.search-path": Case(["perl", "job.pl"], {"job.pl": "use Acme::Ledger;\n"}),
    "file-missing.loader-searched": sh('perl job.pl 2>/dev/null || { echo "no ledger" >&2; exit 1; }', files={"job.pl": "use Acme::Ledger;\n"}),
    # tests that a framework reports
    "python-exception.unittest": Case([PY, "-m", "unittest", "-q", "check"], {"check.py": """import unittest


class Sum(unittest.TestCase):
    def test_add(self):
        self.assertEqual(1 + 1, 3)
"""}),
    "waiting-on-lock.subprocess": py("""
import subprocess
import sys
try:
    subprocess.run(["flock", "data.lock", "true"], timeout=1)
except subprocess.TimeoutExpired:
    sys.exit("rotation failed")
""", before="flock data.lock sleep 5 & while ! test -e data.lock; do sleep 0.1; done; sleep 0.2"),
    # pairs for explain --against: the same command, once it failed and once it worked
    "file-missing.other-config": py(LOADER, files={"job.json": '{"tables": "schema/prdo.sql"}\n', "schema/prod.sql": "x"}),
    "ok.other-config": py(LOADER, files={"job.json": '{"tables": "schema/prod.sql"}\n', "schema/prod.sql": "x"}),
    "unknown.other-environment": sh('test "$ACME_REGION" = eu || exit 3\ncat /etc/hosts'),
    "ok.other-environment": sh('test "$ACME_REGION" = eu || exit 3\ncat /etc/hosts', env={"ACME_REGION": "eu"}),
    "http-not-found.other-answer": sh(MIRROR, files={"mirror": WEB + "/missing\n"}),
    "ok.other-answer": sh(MIRROR, files={"mirror": WEB + "/ok\n"}),
    "ok.noise-one": py(NOISE, flags=NO_INJECT),
    "ok.noise-two": py(NOISE, flags=NO_INJECT),
    # rules that a program applies by itself, daemons, runners of many
    "deadlock.ruby": Case(["ruby", "job.rb"], {"job.rb": "Thread.new { Thread.stop }\nsleep 0.1\nThread.stop\n"}),
    "file-permission.exposed-key": sh("ssh-keygen -y -P '' -f key >/dev/null 2>&1 || { echo 'no key' >&2; exit 1; }",
        before="ssh-keygen -q -t ed25519 -N '' -C case -f key; chmod 644 key"),
    "seccomp-denied.errno": py("""
import ctypes
import os
import struct
import sys

code = [(0x20, 0, 0, 0), (0x15, 0, 1, 83), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)]  # mkdir: EPERM
buffer = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *x) for x in code))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer)))
try:
    os.mkdir("state")
except OSError:
    sys.exit("sandbox: init failed")
"""),
    "broken-pipe.ignored": Case(["bash", "-c", "set -o pipefail; python3 job.py | head -n 1 >/dev/null || exit 1"], {"job.py": """import os
import sys
try:
    for n in range(100000):
        print("line", n)
    sys.stdout.flush()
except BrokenPipeError:
    os._exit(1)
"""}),
    "out-of-memory.python-caught": sh("ulimit -v 400000\nexec python3 load.py", files={"load.py": """import sys
try:
    bytearray(10 ** 9)
except MemoryError:
    sys.exit("image too big")
"""}),
    "shared-library-missing.dlopen": py("""
import ctypes
import sys
try:
    ctypes.CDLL("libcodec.so.7")
except OSError:
    sys.exit("no video support")
"""),
    "python-module-missing.shadowed": py("""
import sys
try:
    from json import dumps
except ImportError:
    sys.exit("export unavailable")
""", files={"json.py": "x = 1\n"}),
    "crashed.told-by-shell": Case(["bash", "job"], {"job": "sh -c 'kill -SEGV $$' || { echo 'no pages' >&2; exit 1; }\n"}),
    "address-in-use.daemon": sh("python3 daemon.py\nsleep 0.5\ntest -e up || { echo 'daemon is not up' >&2; exit 1; }", files={"daemon.py": """import os
import socket
for n in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
s = socket.socket()
try:
    s.bind(("127.0.0.1", 8123))
except OSError:
    os._exit(1)
open("up", "w")
"""}, flags=NO_INJECT, before="python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 & sleep 1"),
    "file-missing.xargs": sh("printf 'a\\nb\\nc\\n' | xargs -n1 cat >all 2>/dev/null || { echo 'merge failed' >&2; exit 1; }", files={"a": "1\n", "c": "2\n"}),
}

# Runs that get another verdict than they should: name, what is said instead and
# why. They are recorded only when named, and go to ../cases when the rule is right.
WRONG = {
    "connection-refused.unix": "file-missing: ~/.curlrc, which is optional; the status of curl is not used for a Unix socket",
    "file-missing.command-optional": "command-not-found: the shell went on and did other work after it",
    "proxy-unreachable.curl": "connection-refused: the environment of the command itself is not in the case",
    "unix-socket-missing.curl": "file-missing: as connection-refused.unix",
    "unknown.cert-expired-no-inject": "file-missing: ~/.curlrc again",
    "unknown.optional-config-missing": "file-missing, certain: words that went to /dev/null of a child that its parent coped with",
}
