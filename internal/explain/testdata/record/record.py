#!/usr/bin/env python3
"""Records the cases of ../cases anew, or those that are named.

    record.py CULPRIT OUT [NAME...]

Needs root: each case runs in mount, UTS and network namespaces of its own with
fixed names, addresses and ports, so that nothing of this machine gets into a
recording. PYTHON38 and PYTHON313 name the directories of other Pythons, KEEP one
for the whole cases; FORBIDDEN lists words that no recording may hold.
"""
import base64
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CASE = "/tmp/case"
OUT = "/tmp/case-out"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHONS = {"/opt/python3.8": os.environ.get("PYTHON38"), "/opt/python3.13": os.environ.get("PYTHON313")}


def sh(command, **more):
    return subprocess.run(["sh", "-ec", command], check=True, **more)


def enclose():
    """Makes the surroundings that every case sees."""
    sh("mount --make-rprivate / && hostname host && ip link set lo up")
    sh("sysctl -qw net.ipv4.tcp_syn_retries=1 net.ipv4.tcp_wmem='4096 4096 8192' net.ipv4.ip_unprivileged_port_start=0")
    for d in (CASE, OUT):
        os.makedirs(d, exist_ok=True)
        sh(f"mount -t tmpfs tmpfs {d} && chmod 777 {d}")
    os.makedirs(OUT + "/pki")
    for name, text in {
        "hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 good.example.test\n::1 dual.example.test\n127.0.0.1 dual.example.test\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "passwd": f"root:x:0:0:root:{CASE}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }.items():
        write(f"{OUT}/{name}", text)
        sh(f"mount --bind {OUT}/{name} /etc/{name}")
    pki(OUT + "/pki")
    # No packages, certificates or start-up files of this machine.
    for d in ("/etc/ssl/certs", "/usr/lib/python3/dist-packages", *sorted(
            d for d in sub("/usr/local/lib") if d.endswith("dist-packages"))):
        sh(f"mount -t tmpfs tmpfs {d}")
    shutil.copy(OUT + "/pki/ca.pem", "/etc/ssl/certs/ca-certificates.crt")
    for to, real in PYTHONS.items():
        if real:
            python(to, os.path.realpath(real))
    for d in ("ro", "full"):
        os.mkdir(f"{CASE}/{d}")
    sh(f"mount -t tmpfs -o size=64k tmpfs {CASE}/full && mount -t tmpfs tmpfs {CASE}/ro && mount -o remount,ro {CASE}/ro")


def python(to, real):
    """Shows the Python built for one directory in another, without its packages."""
    os.makedirs(to, exist_ok=True)
    work = OUT + "/" + os.path.basename(to)
    sh(f"mkdir {work} && mount -t tmpfs tmpfs {work} && mkdir {work}/upper {work}/work")
    sh(f"mount -t overlay overlay -o lowerdir={real},upperdir={work}/upper,workdir={work}/work {to}")
    for at, _, files in os.walk(to):
        if at.endswith("/site-packages"):
            sh(f"mount -t tmpfs tmpfs {at}")
        for f in files:
            path = os.path.join(at, f)
            if os.path.islink(path) or not (".so" in f or at.endswith("/bin")):
                continue
            with open(path, "rb") as x:
                data = x.read()
            if data[:4] == b"\x7fELF":  # its run path
                old = real.encode() + b"/lib\0"
                write(path, data.replace(old, (to.encode() + b"/lib").ljust(len(old), b"\0")), 0o755)


def sub(top):
    return [os.path.join(at, d) for at, dirs, _ in os.walk(top) for d in dirs]


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w" if isinstance(text, str) else "wb") as f:
        f.write(text)
    os.chmod(path, mode)


def pki(d):
    write(d + "/ca.conf", f"""[ca]
default_ca = x
[x]
database = {d}/index
new_certs_dir = {d}
serial = {d}/serial
default_md = sha256
policy = p
copy_extensions = copy
unique_subject = no
x509_extensions = e
[e]
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[p]
commonName = supplied
""")
    write(d + "/index", "")
    write(d + "/serial", "1000\n")
    new = "openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    for ca, cn in (("ca", "Example Test CA"), ("rogue", "Acme Internal Root 7")):
        sh(f"{new} -x509 -days 9000 -subj '/CN={cn}' -addext keyUsage=critical,keyCertSign,cRLSign -keyout {d}/{ca}.key -out {d}/{ca}.pem 2>/dev/null")
    for name, ca, host, begin, end in (
            ("good", "ca", "localhost", "20200101000000Z", "20450101000000Z"),
            ("expired", "ca", "localhost", "20200101000000Z", "20230301000000Z"),
            ("untrusted", "rogue", "localhost", "20200101000000Z", "20450101000000Z"),
            ("other", "ca", "feeds.example.test", "20200101000000Z", "20450101000000Z"),
            ("future", "ca", "localhost", "20440101000000Z", "20450101000000Z")):
        sh(f"{new} -subj /CN={host} -addext subjectAltName=DNS:{host} -keyout {d}/{name}.key -out {d}/{name}.csr 2>/dev/null &&"
           f"openssl ca -batch -notext -config {d}/ca.conf -cert {d}/{ca}.pem -keyfile {d}/{ca}.key -startdate {begin} -enddate {end}"
           f" -in {d}/{name}.csr -out {d}/{name}.pem 2>/dev/null")


def record(culprit, name, case, out):
    for path, text in case.files.items():
        write(f"{CASE}/{path}", text, 0o755 if isinstance(text, str) and text.startswith("#!") else 0o644)
    if case.before:
        sh(case.before, cwd=CASE)
    if case.resolv:
        write(OUT + "/resolv.conf", case.resolv)
    pcapng = f"{OUT}/{name}.pcapng"
    argv = [culprit, "run", "-q", "--snaplen", "64", "-o", pcapng, *case.flags, "--", *case.argv]
    if case.user:
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *argv]
    env = {"PATH": PATH, "HOME": CASE, "LANG": "C.UTF-8", **case.env}
    p = subprocess.run(argv, cwd=CASE, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    if case.resolv:
        write(OUT + "/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    if case.after:
        sh(case.after, cwd=CASE)
    if os.environ.get("KEEP"):
        shutil.copy(pcapng, os.environ["KEEP"])
    text = subprocess.run([culprit, "debug", "events", "--thin", pcapng], check=True, capture_output=True).stdout
    lines = text.split(b"\n")
    header = json.loads(lines[0])
    header.update(host="host", kernel="6.1", culprit="test")  # all that is changed by hand
    lines[0] = json.dumps(header, separators=(",", ":")).encode()
    text = b"\n".join(lines)
    leaks(name, text)
    data = gzip.compress(text, 9, mtime=0)
    write(f"{out}/{name}.events.gz", data)
    print(f"{name}: status {p.returncode}, {len(data)} bytes", (p.stdout + p.stderr).decode("utf8", "replace").strip().split("\n")[-1][:100])


def leaks(name, text):
    """Fails when something of this machine is in a recording."""
    words = [HERE, os.path.expanduser("~") if os.getuid() == 0 else "/home/", "/root/", os.uname().release, *filter(None, PYTHONS.values()),
             *os.environ.get("FORBIDDEN", "").split()]
    everything = text + b"".join(base64.b64decode(x) for x in re.findall(rb'"b64":"([^"]*)"', text))
    for w in words:
        if w and w != "/" and w.encode() in everything:
            print(f"{name}: LEAKS {w}: {re.findall(b'[^ -~]?[ -~]*' + re.escape(w.encode()) + b'[ -~]*', everything)[0][-160:]}", file=sys.stderr)


def main():
    if os.environ.get("ENCLOSED") != "1":
        os.environ["ENCLOSED"] = "1"
        os.execvp("unshare", ["unshare", "-m", "-u", "-n", sys.executable, *sys.argv])
    culprit, out, *names = sys.argv[1:]
    enclose()
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    from cases import CASES, WRONG
    import server

    keep = server.start(OUT + "/pki")
    os.makedirs(out, exist_ok=True)
    for name, case in CASES.items():
        if names and not any(name == n or name.startswith(n + ".") for n in names):
            continue
        if name in WRONG and name not in names:
            continue
        try:
            record(culprit, name, case, out)
        except (subprocess.SubprocessError, OSError, ValueError) as e:
            print(f"{name}: not recorded: {e}", getattr(e, "stderr", None), file=sys.stderr)
    sys.stdout.flush()
    os._exit(0 if keep else 1)


if __name__ == "__main__":
    main()
