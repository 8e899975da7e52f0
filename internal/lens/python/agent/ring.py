# culprit's agent: writes every exception of this process into a ring that the
# recorder maps too. package stream has the format. It runs inside somebody
# else's program, so: no user code is called (no __repr__, __str__, __eq__ or
# property of a class that is not built in), nothing is printed, nothing is
# raised, nothing stays in sys.modules, no file descriptor stays open, and no
# thread is started. Its parts, in the order of parts in python.go, are one text;
# this one, behind values.py, is the ring and how records get into it.
#
# RUN is the run's directory, WAY how the agent came in, KEYS the TLS key log of
# the run ('' for the environment's).
BEFORE = set(sys.modules)
CACHED = set(sys.path_importer_cache)
import os, marshal, gc, atexit
from _thread import allocate_lock, get_native_id, _local
from time import monotonic_ns

MAX_RECORD = 32768

dumps = marshal.dumps
lock = allocate_lock()
HOLDER = [0]          # the thread that has it
tls = _local()
RING = None           # memoryview of the whole ring
HDR = None            # the same as u64: the header is the first eight
CAP = 0
KEEP = []             # what the mapping hangs on


def open_ring():
    global RING, HDR, CAP
    size = 4 << 20
    text = os.environ.get('CULPRIT_RING', '')
    if text.isdigit():
        size = min(max(int(text), 1 << 16), 1 << 30)
    size &= ~4095
    now = monotonic_ns()
    name = '%s/python-%d-%d.ring' % (RUN, os.getpid(), now)
    try:
        fd = os.open(name + '.new', os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        named = True
    except OSError:
        # Another root, another user: the recorder finds this by its name.
        fd = os.memfd_create('culprit-ring', os.MFD_CLOEXEC)
        named = False
    try:
        # A hole that can't be filled later would be a SIGBUS.
        os.posix_fallocate(fd, 0, size)
        if VERSION >= (3, 13):
            had = 'mmap' in modules
            import mmap
            if not had:
                del modules['mmap']
            m = mmap.mmap(fd, size, trackfd=False)
            view = memoryview(m)
            KEEP.append(m)
        else:
            at = map_memory(0, size, 1, fd)
            if not at:
                raise OSError('mmap')
            view = memory(at, size)
    finally:
        os.close(fd)
    hdr = view.cast('Q')
    hdr[1] = 1 | os.getpid() << 32
    hdr[2] = size
    hdr[5] = now
    view[:8] = b'CULPRING'
    if named:
        os.rename(name + '.new', name)
    RING, HDR, CAP = view, hdr, size - 64


def thread_id():
    tid = getattr(tls, 'tid', 0)
    if not tid:
        tid = tls.tid = get_native_id()
        threading = modules.get('threading')
        name = None
        try:
            t = threading._active.get(threading.get_ident())
            name = t.__dict__.get('_name')
        except Exception:
            pass
        if type(name) is str:
            emit(b'T', (name[:100], tid))
    return tid


def emit(kind, data, flags=0):
    """Appends one record, or counts it as dropped when the reader is behind."""
    try:
        tid = tls.tid
    except AttributeError:
        tid = thread_id()
    body = dumps(data, 2)
    n = 24 + len(body)
    if n > MAX_RECORD or not CAP:
        HDR[4] += 1
        return False
    room = (n + 7) & ~7
    now = monotonic_ns()
    # A signal's handler may raise between the end of a with block and the release,
    # so a lock that is ours already is taken as such, and no other waited for long.
    if not lock.acquire(False) and HOLDER[0] != tid:
        lock.acquire(True, 0.1)
    HOLDER[0] = tid
    try:
        pos = HDR[3]
        free = CAP - (pos - HDR[6])
        off = pos % CAP
        fill = CAP - off if off + room > CAP else 0
        if room + fill > free:
            HDR[4] += 1
            # What the dropped record defined has to be defined again.
            STRINGS.clear()
            forget_codes()
            return False
        if fill:
            HDR[off + 64 >> 3] = fill
            off = 0
            pos += fill
        at = off + 64 >> 3
        HDR[at] = n | kind[0] << 32 | flags << 40
        HDR[at + 1] = now
        HDR[at + 2] = tid
        RING[off + 88:off + 64 + n] = body
        HDR[3] = pos + room
    finally:
        HOLDER[0] = 0
        try:
            lock.release()
        except RuntimeError: # another that waited too long has released it
            pass
