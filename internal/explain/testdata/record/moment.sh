#!/bin/bash
# Records the cases about hangs, locks, limits and addresses into /tmp/cases,
# as root: env -i moment.sh CULPRIT. What a name promises is checked by the test.
set -u
C=${1:?path of culprit}; W=/tmp/cases
clean(){ grep -v '"kind":"file"' | sed -E '1s/"host":"[^"]*"/"host":"host"/; 1s/"kernel":"[^"]*"/"kernel":"6.18.0"/; s|/ro[o]t|/home|g'; }
 rm -rf $W; mkdir -p $W/run; cd $W/run; export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C HOME=/tmp/cases/home PWD=/tmp/cases/run
unset PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE OLDPWD
rec(){ n=$1; shift; $C run -q -o $W/$n.pcapng "$@" >/dev/null 2>$W/$n.err </dev/null; $C debug events $W/$n.pcapng | clean | gzip -9n > $W/$n.events.gz; printf '%-45s %6d %s\n' $n $(stat -c%s $W/$n.events.gz) "$($C explain $W/$n.pcapng 2>&1 | head -1)"; }
PY="/usr/bin/python3 -I -S"
( flock 9; exec sleep 40 ) 9>nightly.lock & L=$!
sleep .3
rec waiting-on-lock.flock --no-inject --timeout 1s -- flock nightly.lock true
rec file-locked.flock --no-inject -- flock -n nightly.lock -c true
rec unknown.flock-retried --no-inject -- sh -c 'flock -n nightly.lock true || flock -n other.lock true; exit 3'
mkfifo spool
rec waiting-on-input.fifo --no-inject --timeout 1s -- sh -c 'cat spool | sort'
sleep 30 | $C run -q --no-inject --timeout 1s -o $W/waiting-on-input.stdin.pcapng -- cat; n=waiting-on-input.stdin; $C debug events $W/$n.pcapng | clean | gzip -9n > $W/$n.events.gz; $C explain $W/$n.pcapng | head -1
rec waiting-on-child.sleep --no-inject --timeout 1s -- sh -c 'sleep 10; true'
cat > bank.py <<'P'
import threading, time
accounts = threading.Lock()
journal = threading.Lock()
def transfer():
    with accounts:
        time.sleep(0.3)
        with journal:
            print("moved")
def audit():
    with journal:
        time.sleep(0.3)
        with accounts:
            print("checked")
jobs = [threading.Thread(target=transfer), threading.Thread(target=audit)]
for job in jobs:
    job.start()
for job in jobs:
    job.join()
P
rec deadlock.python-threads --no-inject --timeout 2s -- /usr/bin/python3 -I -S bank.py
cat > report.py <<'P'
import os
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, b"x" * 1000000)
    os._exit(0)
os.close(w)
os.wait()
P
rec deadlock.pipe --no-inject --timeout 1s -- $PY report.py
cat > pool.py <<'P'
import threading, time
gate = threading.Event()
def worker():
    gate.wait()
threading.Thread(target=worker).start()
time.sleep(30)
P
rec unknown.idle-threads --no-inject --timeout 1s -- $PY pool.py
cat > mutex.c <<'P'
#include <pthread.h>
#include <unistd.h>
pthread_mutex_t a=PTHREAD_MUTEX_INITIALIZER,b=PTHREAD_MUTEX_INITIALIZER;
void*f(void*x){pthread_mutex_lock(&b);usleep(200000);pthread_mutex_lock(&a);return 0;}
int main(){pthread_t t;pthread_create(&t,0,f,0);pthread_mutex_lock(&a);usleep(200000);pthread_mutex_lock(&b);}
P
gcc -pthread mutex.c -o mutex; rec deadlock.mutexes --no-inject --timeout 1s -- ./mutex
cat > silent.py <<'P'
import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(("127.0.0.1",18124)); s.listen(); open("up","w").close(); c,_=s.accept(); c.recv(100); time.sleep(20)
P
$PY silent.py & S=$!; until [ -e up ]; do sleep .1; done
rec address-in-use.listener --no-inject -- $PY -c 'import _socket as s
x=s.socket(); x.bind(("127.0.0.1",18124))'
rec unknown.port-next --no-inject -- $PY -c 'import _socket as s,sys
x=s.socket()
try: x.bind(("127.0.0.1",18124))
except OSError: x.bind(("127.0.0.1",18125))
sys.exit(3)'
rec waiting-on-peer.silent --no-inject --timeout 2s -- curl -s http://127.0.0.1:18124/report
kill $S
rec unknown.idle-server --no-inject --timeout 1s -- $PY -c 'import _socket as s
x=s.socket(); x.bind(("127.0.0.1",18125)); x.listen(); x._accept()'
rec unknown.busy --no-inject --timeout 4s -- sh -c 'cat missing.conf; while :; do :; done'
rec bind-permission.port --no-inject -- setpriv --reuid=64320 --clear-groups $PY -c 'import _socket as s
x=s.socket(); x.bind(("127.0.0.1",80))'
git init -q g 2>/dev/null; touch g/.git/index.lock g/a
rec file-locked.left-over --no-inject -- git -C g add a
rec out-of-memory.limit --no-inject -- sh -c 'ulimit -v 60000; xz -qq -c /dev/zero'
rec ok.memory-second-try --no-inject -- $PY -c 'import mmap
try: mmap.mmap(-1, 1<<60)
except OSError: pass
mmap.mmap(-1, 1<<21)'
rec process-limit.ulimit --no-inject -- setpriv --reuid=64321 --clear-groups bash -c 'ulimit -u 1; /bin/true; exit $?'
rec too-many-open-files.sockets --no-inject -- sh -c 'ulimit -n 12; exec '"$PY"' -c "
import _socket as s
l=[s.socket() for i in range(20)]"'
rec cpu-limit.ulimit --no-inject -- sh -c 'ulimit -t 1; while :; do :; done'
rec file-size-limit.ulimit --no-inject -- sh -c 'ulimit -f 8; exec head -c 100000 /dev/zero >big'
cat > sec.c <<'P'
#include <stddef.h>
#include <sys/prctl.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(){struct sock_filter f[]={{0x20,0,0,0},{0x15,0,1,SYS_getppid},{6,0,0,SECCOMP_RET_TRAP},{6,0,0,SECCOMP_RET_ALLOW}};
struct sock_fprog p={4,f};prctl(PR_SET_NO_NEW_PRIVS,1,0,0,0);prctl(PR_SET_SECCOMP,2,&p);getppid();return 0;}
P
gcc sec.c -o sec && rec seccomp-denied.trap --no-inject -- ./sec
rec broken-pipe.pipefail --no-inject -- bash -c 'set -o pipefail; yes | head -n 1'
rec unknown.pipe-early --no-inject -- bash -c 'yes | head -n 1; exit 4'
cat > victim.sh <<'P'
echo $$ >victim.pid
exec sleep 20
P
rm -f victim.pid; ( until [ -s victim.pid ]; do sleep .1; done; exec -a mem-watchdog $PY -c 'import posix; posix.kill(int(open("victim.pid").read()),15)
import time; time.sleep(1)' ) & 
rec killed-by.watchdog --no-inject -- sh victim.sh
mkdir -p mnt; mount -t tmpfs -o noexec t mnt; printf '#!/bin/sh\n' >mnt/job; chmod 755 mnt/job
rec exec-permission.noexec --no-inject -- sh -c 'exec ./mnt/job'
umount mnt; mount -t tmpfs -o size=64k t mnt
rec disk-full.tmpfs --no-inject -- cp /bin/bash mnt/x
umount mnt
kill $L 2>/dev/null
