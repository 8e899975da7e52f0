"""The peers of the recorded cases: an HTTP server, one that refuses uploads,
TLS servers with one fault each, servers that break off, and a name server.

Runs in a network namespace of its own (record.py makes it), so ports are fixed.
"""
import base64
import socket
import ssl
import struct
import threading
import time

NGINX_413 = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n</html>\r\n"
seen = {}


def listen(port, host="127.0.0.1", backlog=16, small=False):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.bind((host, port))
    s.listen(backlog)
    return s


def serve(sock, handle, context=None):
    def one(c):
        try:
            if context:
                c = context.wrap_socket(c, server_side=True)
            handle(c)
        except OSError:
            pass
        finally:
            c.close()

    def loop():
        while True:
            c, _ = sock.accept()
            threading.Thread(target=one, args=(c,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def head(c):
    data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(1024)
        if not more:
            return None
        data += more
        if data[0] == 0x16:  # a TLS handshake
            c.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\nplain HTTP here\n")
            return None
    lines, _, rest = data.partition(b"\r\n\r\n")
    first, *fields = lines.decode("latin1").split("\r\n")
    return first.split(" ", 2), {k.strip().lower(): v.strip() for k, v in (f.split(":", 1) for f in fields)}, rest


def answer(c, status, body=b"", kind="text/plain", **more):
    import http

    reason = http.HTTPStatus(status).phrase
    fields = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in more.items())
    c.sendall(f"HTTP/1.1 {status} {reason}\r\nServer: nginx\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{fields}\r\n".encode() + body)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literals(*fields):
    """A header block without indices (RFC 7541 section 6.2.2)."""
    return b"".join(b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in fields)


def h2(c):
    """HTTP/2 without TLS: the path says how stream 1 ends."""
    f = c.makefile("rb")
    f.read(24)
    c.sendall(frame(4, 0, 0))
    while True:
        size = int.from_bytes(f.read(3), "big")
        kind, _, stream = struct.unpack(">BBI", f.read(6))
        block = f.read(size)
        if kind == 1:
            break
    head = literals((b":status", b"200"), (b"content-type", b"application/grpc"))
    if b"/Reset" in block:
        c.sendall(frame(3, 0, stream, struct.pack(">I", 7)))
    elif b"/Calm" in block:
        c.sendall(frame(7, 0, 0, struct.pack(">II", 0, 11) + b"too_many_pings"))
    elif b"/Get" in block:
        c.sendall(frame(1, 4, stream, head) + frame(0, 0, stream, b"\0\0\0\0\3\x08\x96\x01")
                  + frame(1, 5, stream, literals((b"grpc-status", b"5"), (b"grpc-message", b"no%20product%2017"))))
    else:
        c.sendall(frame(1, 5, stream, head + literals((b"grpc-status", b"16"), (b"grpc-message", b"token expired"))))


def feed(c):
    """A WebSocket that says one thing and closes."""
    head(c)
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05ready\x88\x0e\x03\xf3feed is gone")


def web(c):
    got = head(c)
    if got is None:
        return
    (method, target, _), fields, rest = got
    left = int(fields.get("content-length", 0)) - len(rest)
    while left > 0:
        more = c.recv(65536)
        if not more:
            return
        left -= len(more)
    _, what, *arg = target.split("?")[0].split("/")
    if "://" in target:  # to a proxy
        return answer(c, 407, Proxy_Authenticate='Basic realm="proxy"')
    if what == "status":
        return answer(c, int(arg[0]), b"no\n")
    if what == "ok":
        return answer(c, 200, b"fine\n")
    if what == "flaky":  # 503, then well
        seen[target] = seen.get(target, 0) + 1
        return answer(c, 503 if seen[target] < 2 else 200, b"x\n")
    if what == "auth":
        good = "Basic " + base64.b64encode(b"me:open").decode()
        if fields.get("authorization") != good:
            return answer(c, 401, WWW_Authenticate='Basic realm="files"')
        return answer(c, 200, b"secret\n")
    if what == "login":
        return answer(c, 200, b"<html><body>Please log in</body></html>\n", "text/html")
    if what == "circle":
        return answer(c, 302, Location="/circle/" + ("b" if arg == ["a"] else "a"))
    if what == "session":
        return answer(c, 302, Location="/login")
    if what == "half":
        c.sendall(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/gzip\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n" + b"x" * 5000)
        return
    answer(c, 404, b"not here\n")


def refuse(c):
    """As nginx: 413 when the head is there, then no more reading."""
    head(c)
    c.sendall(b"HTTP/1.1 413 Request Entity Too Large\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(NGINX_413) + NGINX_413)

    time.sleep(0.2)
    socket.socket.shutdown(c, socket.SHUT_WR)
    time.sleep(0.2)


def reset(c):
    c.recv(1024)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(c):
    c.recv(4096)


def words(c):
    c.sendall(b"554 5.7.1 your address is on our block list\r\n")
    time.sleep(0.1)


def greet(c):
    c.sendall(b"220 mail.example.test ESMTP\r\n")
    c.recv(1024)
    time.sleep(0.1)


def dialogue(greeting, answers, end=b"\r\n"):
    """A service that answers each request by what it begins with."""

    def handle(c):
        c.sendall(greeting)
        data = b""
        while more := c.recv(1024):
            data += more
            while end in data:
                request, data = data.split(end, 1)
                for begin, answer in answers.items():
                    if request.startswith(begin):
                        c.sendall(answer)
                        break

    return handle


MAIL = dialogue(b"220 mail.example.test ESMTP\r\n", {
    b"EHLO": b"250-mail.example.test\r\n250 SIZE\r\n", b"MAIL": b"250 ok\r\n", b"RCPT TO:<all": b"550 5.7.1 relaying denied\r\n",
    b"RCPT": b"250 ok\r\n", b"DATA": b"354 go on\r\n", b".": b"250 taken\r\n", b"QUIT": b"221 bye\r\n"})
REDIS = dialogue(b"", {b"*": b"-NOAUTH Authentication required.\r\n"}, b"\r\n$3\r\nkey\r\n")


def names(host="127.0.0.1"):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((host, 53))

    def loop():
        while True:
            q, who = u.recvfrom(512)
            labels, i = [], 12
            while q[i]:
                labels.append(q[i + 1 : i + 1 + q[i]].decode())
                i += 1 + q[i]
            qtype = struct.unpack(">H", q[i + 1 : i + 3])[0]
            name, question = ".".join(labels).lower(), q[12 : i + 5]
            code, records = 3, b""
            if name.startswith("silent"):
                continue
            if name.startswith("broken"):
                code = 2
            elif name.endswith("example.test"):
                code = 0
                if qtype == 1:
                    records = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
            u.sendto(q[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, bool(records), 0, 0) + question + records, who)

    threading.Thread(target=loop, daemon=True).start()


def tls(pki, name, **change):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(f"{pki}/{name}.pem", f"{pki}/{name}.key")
    for k, v in change.items():
        setattr(ctx, k, v)
    return ctx


def start(pki):
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    serve(listen(8080), web)
    serve(listen(8413, small=True), refuse)
    serve(listen(8443, small=True), refuse, tls(pki, "good"))
    serve(listen(8444), web, tls(pki, "good"))
    serve(listen(8445), web, tls(pki, "expired"))
    serve(listen(8446), web, tls(pki, "untrusted"))
    serve(listen(8447), web, tls(pki, "other"))
    serve(listen(8448), web, tls(pki, "good", minimum_version=v13))
    serve(listen(8449), web, tls(pki, "future"))
    one = tls(pki, "good", maximum_version=v12)
    one.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    serve(listen(8450), web, one)
    for port, version in ((8451, v12), (8452, v13)):  # TLS 1.2 has handshake_failure for it
        want = tls(pki, "good", verify_mode=ssl.CERT_REQUIRED, maximum_version=version)
        want.load_verify_locations(f"{pki}/ca.pem")
        serve(listen(port), web, want)
    serve(listen(8453), web, tls(pki, "good", sni_callback=lambda *_: ssl.ALERT_DESCRIPTION_ACCESS_DENIED))
    serve(listen(8022), reset)
    serve(listen(8023), silent)
    serve(listen(8025), words)
    serve(listen(8026), greet)
    serve(listen(8027), MAIL)
    serve(listen(8028), REDIS)
    serve(listen(8029), lambda c: time.sleep(60))
    serve(listen(8030), dialogue(b"", {b"GET": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 57\r\n\r\n<h1>The plain HTTP request was sent to HTTPS port</h1>\r\n\r\n"}))
    serve(listen(8031), dialogue(b"", {b"": b"\x15\x03\x01\x00\x02\x02\x46"}, b"\n"))
    serve(listen(8032), h2)
    serve(listen(8033), feed)
    names()
    # A full backlog: SYNs are dropped (tcp(7), tcp_abort_on_overflow).
    full = listen(8099, backlog=0)
    keep = [full]
    for _ in range(2):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", 8099))
        keep.append(s)
    idle = socket.socket(socket.AF_UNIX)  # a socket that nobody listens on
    idle.bind("/tmp/case/idle.sock")
    keep.append(idle)
    return keep
