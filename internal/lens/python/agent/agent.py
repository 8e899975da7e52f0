# culprit's agent: writes every exception of this process into a ring that the
# recorder maps too. The format is described in ring.go. It runs inside somebody
# else's program, so: no user code is called (no __repr__, __str__, __eq__ or
# property of a class that is not built in), nothing is printed, nothing is
# raised, nothing stays in sys.modules, no file descriptor stays open, and no
# thread is started. values.py stands before it.
#
# RUN is the run's directory, WAY how the agent came in, KEYS the TLS key log of
# the run ('' for the environment's).
BEFORE = set(sys.modules)
CACHED = set(sys.path_importer_cache)
import os, marshal, gc, atexit
from _thread import allocate_lock, get_native_id, _local
from time import monotonic_ns

SITE_BUDGET = 40      # records of one place, after that they are only counted
SITE_FIRST = 10       # of them at any pace, the others this many ns apart
SITE_APART = 10**6
SAMPLE = 10**9        # ns after which one of a place over its budget is recorded again
BURST = 20            # counted ones of a place within BURST_TIME that make it hot
BURST_TIME = 10**7    # ns
LOOK = 128            # events of a hot place from one look at the clock to the next; a power of 2
STORM = 25 * 10**6    # ns: when LOOK events take less, exceptions are not looked at for a while
HOLD = 10**6          # ns that such a pause takes at least; doubled, up to MAX_HOLD, when it
MAX_HOLD = 2 * 10**8  # proves to be too short
SITES = 16384         # places known at a time
MAX_STACK = 64
MAX_FRAMES = 16       # frames with locals of one exception
MAX_RECORD = 32768
MILESTONES = 500      # audit milestones of one kind

dumps = marshal.dumps
getframe = sys._getframe
get_tb = BaseException.__dict__['__traceback__'].__get__
get_context = BaseException.__dict__['__context__'].__get__
get_cause = BaseException.__dict__['__cause__'].__get__
get_suppress = BaseException.__dict__['__suppress_context__'].__get__

# ---- ring ----

lock = allocate_lock()
HOLDER = [0]          # the thread that has it
tls = _local()
RING = None           # memoryview of the whole ring
HDR = None            # the same as u64: the header is the first eight
CAP = 0
KEEP = []             # what the mapping hangs on
NATIVE = {}           # C functions by name


def native():
    """C functions through _ctypes alone; importing ctypes takes ten times as long."""
    if NATIVE:
        return NATIVE
    had = '_ctypes' in modules
    import _ctypes as c
    if not had:
        del modules['_ctypes']

    class Void(c._SimpleCData):
        _type_ = 'P'

    class Long(c._SimpleCData):
        _type_ = 'l'

    class Int(c._SimpleCData):
        _type_ = 'i'

    class Obj(c._SimpleCData):
        _type_ = 'O'

    class Pointer(c.CFuncPtr):
        _flags_ = c.FUNCFLAG_CDECL | c.FUNCFLAG_PYTHONAPI
        _restype_ = Void

    class Object(c.CFuncPtr):
        _flags_ = c.FUNCFLAG_CDECL | c.FUNCFLAG_PYTHONAPI
        _restype_ = Obj

    handle = c.dlopen(None, 2)
    NATIVE.update(symbol=lambda n: c.dlsym(handle, n), Void=Void, Long=Long, Int=Int,
                  pointer=lambda n: Pointer(c.dlsym(handle, n)),
                  object=lambda n: Object(c.dlsym(handle, n)),
                  view=Object(c.dlsym(handle, 'PyMemoryView_FromMemory')))
    return NATIVE


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
            n = native()
            at = n['pointer']('mmap')(n['Void'](0), n['Long'](size), n['Int'](3), n['Int'](1), n['Int'](fd), n['Long'](0))
            at = at.value if hasattr(at, 'value') else at
            if not at or at == (1 << 64) - 1:
                raise OSError('mmap')
            view = n['view'](n['Void'](at), n['Long'](size), n['Int'](0x200))
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
    return True


# ---- names ----

STRINGS = {}
CODES = {}
PLACES = {}           # code and offset -> (code, line)
NEXT = [1, 1, 1]      # string, code, exception
try:
    CWD = os.getcwd()
except OSError:
    CWD = ''


def string_id(text):
    n = STRINGS.get(text)
    if n is None:
        n = NEXT[0]
        NEXT[0] = n + 1
        if len(STRINGS) > 20000:
            STRINGS.clear()
        # Known only when it is written: a signal handler may raise in between.
        if emit(b'S', (n, text[:4096])):
            STRINGS[text] = n
    return n


def forget_codes():
    CODES.clear()
    PLACES.clear()


def place(code, frame, entry):
    """(code, line) of a frame, or of a traceback entry; None for what is not
    shown. Lines are slow to find in long code."""
    key = id(code) + ((frame.f_lasti if entry is None else entry.tb_lasti) << SHIFT)
    p = PLACES.get(key, False)
    if p is False:
        p = None
        if not quiet_file(code.co_filename):
            n = code_id(code)
            p = n, (frame.f_lineno if entry is None else entry.tb_lineno) or 0
        if id(code) in CODES or p is None:
            PLACES[key] = p
    return p


def code_id(code):
    entry = CODES.get(id(code))
    if entry is None:
        n = NEXT[1]
        NEXT[1] = n + 1
        if len(CODES) > 20000 or len(PLACES) > 50000:
            forget_codes()
        entry = (n, code)
        name = code.co_filename
        if name[:1] not in ('/', '<') and CWD:
            name = CWD + '/' + name
        qual = code.co_qualname if VERSION >= (3, 11) else code.co_name
        if emit(b'C', (n, string_id(name), qual[:400], code.co_firstlineno)):
            CODES[id(code)] = entry
    return entry[0]


def attributes(e, t, mro):
    """Pairs (name, value) that a diagnosis needs; values are int, str, bytes,
    bool, None. ring.go lists them."""
    out = []

    def add(name, v):
        x = type(v)
        if x is str:
            v = MASK if is_secret(name) else plain(v)
        elif x is bytes:
            v = MASK if is_secret(name) else v[:64]
        elif x is int:
            if v.bit_length() > 63:
                v = show(v)
        elif x is not bool and v is not None:
            v = MASK if is_secret(name) else show(v)
        out.append((name, v))

    if OSError in mro:
        for n in ('errno', 'strerror', 'filename', 'filename2'):
            v = OSError.__dict__[n].__get__(e)
            if v is not None:
                add(n, v)
    if ImportError in mro:
        for n in ('name', 'path', 'name_from'):
            d = ImportError.__dict__.get(n)
            v = d.__get__(e) if d is not None else None
            if v is not None:
                add(n, v)
    elif NameError in mro and 'name' in NameError.__dict__:
        add('name', NameError.__dict__['name'].__get__(e))
    elif AttributeError in mro and 'name' in AttributeError.__dict__:
        add('name', AttributeError.__dict__['name'].__get__(e))
        obj = AttributeError.__dict__['obj'].__get__(e)
        add('obj_type', class_name(type(obj)))
    elif KeyError in mro:
        args = get_args(e)
        if len(args) == 1:
            add('key', args[0])
    elif UnicodeDecodeError in mro or UnicodeEncodeError in mro:
        c = UnicodeDecodeError if UnicodeDecodeError in mro else UnicodeEncodeError
        for n in ('encoding', 'start', 'end', 'reason'):
            add(n, c.__dict__[n].__get__(e))
        obj, start = c.object.__get__(e), c.start.__get__(e)
        if type(obj) in (bytes, str):
            add('object_length', len(obj))
            add('bytes', obj[start:start + 8])
    elif SyntaxError in mro:
        for n in ('filename', 'lineno', 'offset', 'text', 'msg'):
            add(n, SyntaxError.__dict__[n].__get__(e))
    elif SystemExit in mro:
        add('code', SystemExit.__dict__['code'].__get__(e))
    if get_suppress(e):
        out.append(('suppress_context', True))
    if VERSION >= (3, 11) and BaseExceptionGroup in mro:
        subs = BaseExceptionGroup.exceptions.__get__(e)
        out.append(('group', tuple((serial_of(s, 2), class_name(type(s)), describe(s)) for s in subs[:8])))
        out.append(('group_length', len(subs)))
    d = get_exc_dict(e)
    if d:
        n = 0
        for k in list(d)[:40]:
            if type(k) is not str or n == 12:
                continue
            v = d.get(k)
            x = type(v)
            if k == '__notes__' and x is list:
                out.append(('notes', tuple(plain(s) for s in v[:4])))
            elif x in SCALAR or x in (list, tuple):
                add(k[:60], v)
                n += 1
            elif BaseException in type_mro(x):
                add(k[:60], class_name(x) + ': ' + describe(v))
                n += 1
    return tuple(out)


# ---- exceptions ----

SKIP = frozenset((StopIteration, StopAsyncIteration, GeneratorExit))
LIVE = {}             # id of an exception -> [serial, type, frames left, last traceback entry's id]
SITES_SEEN = {}       # address of an instruction -> Site
SHIFT = 0 if VERSION >= (3, 11) else 48   # of its offset: before, code lies elsewhere than its object
HOT = {}              # address -> Hot: events there are told from news at a glance
DEEP = (None,) * 80   # frames of room that the agent needs at the recursion limit
STATE = {'exit': None, 'rc': 0, 'busy': False}


def quiet_file(name):
    return name[:10] == '<frozen im' or name == '<frozen zipimport>' or name == '<culprit>'


def stack_of(frame, inner=None):
    """(code, line) pairs, innermost first; inner is a traceback entry whose
    frames lie inside frame."""
    chain = []
    while inner is not None and len(chain) < 5000:
        chain.append(inner)
        inner = inner.tb_next
    out = [(code_id(x.tb_frame.f_code), x.tb_lineno or 0) for x in chain[:-49:-1]]
    known = PLACES.get
    room = MAX_STACK - len(out)
    quiet = False
    imports = 0
    while frame is not None and room > 0:
        code = frame.f_code
        p = known(id(code) + (frame.f_lasti << SHIFT), False)
        if p is False:
            p = place(code, frame, None)
        if p is not None:
            out.append(p)
            room -= 1
            quiet = False
        elif not quiet:
            quiet = True
            imports += 1
            if imports == 3:
                break             # what imported the module that imported this one
        frame = frame.f_back
    return tuple(out)


def serial_of(e, depth):
    """The serial number of an exception; one that was missed (over the budget
    of its place) is recorded now, from its traceback."""
    if e is None:
        return 0
    x = LIVE.get(id(e))
    if x is not None and x[1] is type(e):
        return x[0]
    if depth <= 0 or type(e) in SKIP:
        return 0
    return record(e, None, get_tb(e), depth - 1, 1)


def record(e, frame, inner, depth, flags=0):
    """Writes R (and X for what it wraps). frame is where it is now, inner the
    traceback below that."""
    t = type(e)
    mro = type_mro(t)
    n = NEXT[2]
    NEXT[2] = n + 1
    if len(LIVE) >= 512:
        for k in list(LIVE)[:256]:
            LIVE.pop(k, None)
    LIVE.pop(id(e), None)
    LIVE[id(e)] = [n, t, 0, 0]
    context = serial_of(get_context(e), depth)
    c = get_cause(e)
    cause = serial_of(c, depth) if c is not None else 0
    stack = stack_of(frame, inner)
    origin = stack[0] if stack else (0, 0)
    names = tuple(string_id(class_name(k)) for k in mro[:-1][:12])
    emit(b'R', (n, names, describe(e)[:1000], origin[0], origin[1], context, cause, attributes(e, t, mro), stack), flags)
    if context:
        emit(b'X', (context, n, 'context'))
    if cause:
        emit(b'X', (cause, n, 'cause'))
    d = get_exc_dict(e)
    if d:
        r = d.get('reason')
        if r is not None and BaseException in type_mro(type(r)):
            r = serial_of(r, depth)
            if r:
                emit(b'X', (r, n, 'reason'))
    if flags:
        leave(LIVE.get(id(e)), inner, False)
    return n


def left(x, tb, to, line):
    """Writes U: the frame of traceback entry tb was left for frame to."""
    if x[3] == id(tb):
        return
    x[3] = id(tb)
    code = tb.tb_frame.f_code
    p = place(code, None, tb)
    if p is None:
        return
    x[2] += 1
    vals = locals_of(tb.tb_frame, code) if x[2] <= MAX_FRAMES else ()
    emit(b"U", (x[0], p[0], p[1], vals, code_id(to.f_code) if to is not None else 0, line))


def leave(x, tb, last):
    """Writes U for the frames of a traceback that were not seen to be left; for
    the outermost with last only."""
    if x is None:
        return
    chain = []
    while tb is not None and id(tb) != x[3] and len(chain) < 5000:
        chain.append(tb)
        tb = tb.tb_next
    for i in range(len(chain) - 1, -1, -1):
        if i == 0:
            if last:
                left(x, chain[0], None, 0)
        elif i == 1 or len(chain) - i <= 2 * MAX_FRAMES:
            left(x, chain[i], chain[i - 1].tb_frame, chain[i - 1].tb_lineno or 0)


class Site:
    """A place that raises."""
    __slots__ = 'count', 'kept', 'code', 'line', 'next', 'gap', 'tell', 'since', 'burst', 'hot'

    def __init__(self, code):
        self.count = self.kept = 0
        self.code = code          # so that its address stays its own
        self.line = 0
        self.next = 0             # when one is recorded again
        self.gap = SITE_APART     # from that one to the next
        self.tell = 0             # count to be told next
        self.since = 0            # start of the present burst
        self.burst = 0            # exceptions in it
        self.hot = False


def budget(s, key, frame, t):
    """Counts an exception that is raised in a place. Says whether it is to be
    recorded."""
    n = s.count = s.count + 1
    now = monotonic_ns()
    if s.kept < SITE_FIRST or now >= s.next:
        s.kept += 1
        s.next = now + s.gap
        if s.kept >= SITE_BUDGET:
            s.gap = min(max(2 * s.gap, SAMPLE), 64 * SAMPLE)
        return True
    if n >= s.tell:
        s.line = frame.f_lineno or 0
        told(s)
    if now - s.since > BURST_TIME:
        s.since = now
        s.burst = 0
    s.burst += 1
    if s.burst >= BURST and t is not SystemExit:
        s.hot = True
        heat(key, s, True)
    return False


def told(s):
    s.tell = 10 * s.count
    emit(b'P', ('budget', s.count, code_id(s.code), s.line))


def heat(key, s, origin):
    """From now on events of a place are told from news at a glance. origin says
    that the place raises and does not only pass on."""
    if TABLE is not None:
        # The jump's code does it, for origins; it tells others by their origin.
        if origin and s is not None:
            i = (key * GOLDEN & M64) >> 64 - TABLE_BITS
            HOT[i] = [0, True, s, 0]
            TABLE[2 * i + 1] = 0
            TABLE[2 * i] = key & M64
            threading = modules.get('threading')
            if type(threading) is Module:
                code = getattr(threading.Thread._bootstrap_inner, '__code__', None)
                TABLE[2 << TABLE_BITS] = id(code)
        return
    if len(HOT) > SITES:
        HOT.clear()
    HOT[key] = [0, origin, s, monotonic_ns()]


TABLE = None          # pairs (address, events) of hot places, at the address's hash; code under threads
TABLE_BITS = 10
GOLDEN = 0x9e3779b97f4a7c15
M64 = (1 << 64) - 1
COOLED = [monotonic_ns()]


def cool(now):
    """Now and then hot places are looked at anew."""
    COOLED[0] = now
    for i in list(HOT):
        h = HOT.pop(i)
        if TABLE is not None:
            h[0] = TABLE[2 * i + 1]
            TABLE[2 * i] = 0
        if h[2] is not None:
            h[2].count += h[0] if h[1] else 0
            h[2].hot = False


def reached(frame, key, e, inner):
    """An exception is in frame; inner is the traceback below it, None where it
    was raised."""
    code = frame.f_code
    x = LIVE.get(id(e))
    t = type(e)
    if x is not None and (x[1] is not t or inner is None):
        LIVE.pop(id(e), None)
        x = None
    if x is None:
        if inner is not None:
            # Not seen where it was raised: nearly always because it was over
            # the budget there, else because much has happened since.
            entry = inner
            while entry.tb_next is not None:
                entry = entry.tb_next
            s = SITES_SEEN.get(id(entry.tb_frame.f_code) + (entry.tb_lasti << SHIFT))
            if s is not None and s.tell:
                if not outermost(frame, code, e, t) and s.hot:
                    heat(key, s, False)
                return
        site = id(code) + (frame.f_lasti << SHIFT)   # key may differ from it by a cache
        s = SITES_SEEN.get(site)
        if s is None:
            if t in SKIP:
                return
            if quiet_file(code.co_filename):
                heat(key, None, True)
                return
            if len(SITES_SEEN) >= SITES:
                cool(monotonic_ns())
                SITES_SEEN.clear()
            s = SITES_SEEN[site] = Site(code)
        elif s.hot and TABLE is not None:
            now = monotonic_ns()   # the jump's code sends one of many
            if now - COOLED[0] > SAMPLE:
                cool(now)
            return
        if t in SKIP or not budget(s, key, frame, t):
            return
        if ImportError in type_mro(t) and ImportError.name.__get__(e) in ('sitecustomize', 'usercustomize'):
            return
        record(e, frame, inner, 3)
        x = LIVE.get(id(e))
        if x is None:
            return
        if inner is not None:
            x[3] = 0
    if inner is not None and inner.tb_frame is not frame:
        left(x, inner, frame, frame.f_lineno or 0)
    outermost(frame, code, e, t)


def outermost(frame, code, e, t):
    """Notes what ends a thread, or the program by SystemExit. Says whether frame
    is where that shows."""
    if t is SystemExit:
        if frame.f_back is not None:
            return False
        if tls_main():
            c = SystemExit.__dict__['code'].__get__(e)
            STATE['exit'] = (serial_of(e, 3), frame, c & 255 if type(c) is int else 0 if c is None else 1)
        return True
    if code.co_name == '_bootstrap_inner' and code.co_filename.endswith('/threading.py'):
        final(e, 'thread', '')
        return True
    return False


MAIN = get_native_id()


def tls_main():
    return getattr(tls, 'tid', 0) == MAIN


def final(e, how, detail, tb=None):
    n = serial_of(e, 3)
    if not n:
        return
    # Whatever frames were not seen to be left are left now.
    tb = get_tb(e) if tb is None else tb
    if how == 'thread' and tb is not None and tb.tb_frame.f_code.co_name == '_bootstrap_inner':
        tb = tb.tb_next
    leave(LIVE.get(id(e)), tb, how != 'logging')
    emit(b'F', (n, how, detail[:200]))


FAULTS = (AttributeError, TypeError, ValueError, LookupError, RecursionError, MemoryError, OSError, NameError,
          RuntimeError, AssertionError, ArithmeticError, BufferError)


def fault(where, e):
    """Own mistakes become a record; what a signal handler of the program raised
    while the agent was running goes on into the program."""
    if e is not None:
        t = type(e)
        tb = get_tb(e)
        while tb is not None and tb.tb_next is not None:
            tb = tb.tb_next
        if tb is not None and tb.tb_frame.f_code.co_filename != '<culprit>':
            return False
        mro = type_mro(t)
        for c in FAULTS:
            if c in mro:
                break
        else:
            return False
        try:
            emit(b'E', (where, class_name(t) + ': ' + describe(e)[:200], tb.tb_lineno if tb is not None else 0))
        except Exception:
            pass
    return True


# sys.monitoring, 3.12 and later.
#
# Its events cost a tenth of a microsecond each whatever the callback does, and
# those of exceptions can't be turned off for one place. So in a storm they are
# turned off altogether, and the program is watched for doing anything that it
# does not do in the storm: beginning a function or, in the functions that stood
# on the stack, a line that was not run since. Those events are turned off one by
# one as they come, and cost nothing then.

PAUSE = []            # while exceptions are not looked at: since when, and how long at least
PAUSED = {'hold': HOLD}


def on_raise(code, offset, e):
    key = id(code) + offset
    h = HOT.get(key)
    if h is not None and id(e) not in LIVE:
        tb = get_tb(e)
        if (tb is None or tb.tb_next is None) is h[1]:
            h[0] = n = h[0] + 1
            if not n & LOOK - 1:
                look(h)
            return
    t = type(e)
    if t in SKIP:
        return
    if t is RecursionError:
        # Nothing can be called until it has left some frames.
        tb = get_tb(e)
        for n in DEEP:
            if tb is None:
                return
            tb = tb.tb_next
    if getattr(tls, 'busy', False):
        return
    tls.busy = True
    try:
        tb = get_tb(e)
        frame = getframe(1)
        reached(frame, key, e, tb.tb_next if tb is not None and tb.tb_frame is frame else tb)
    except BaseException as f:
        if type(f) is not RecursionError and not fault('raise', f):
            raise
    finally:
        tls.busy = False


def look(h):
    if getattr(tls, 'busy', False):
        return
    tls.busy = True
    try:
        now = monotonic_ns()
        if now - COOLED[0] > SAMPLE:
            cool(now)
        elif now - h[3] < STORM and not PAUSE:
            PAUSED['on'](now)
        h[3] = now
    except BaseException as f:
        if not fault('look', f):
            raise
    finally:
        tls.busy = False


def news(code, where):
    """The program does something new while exceptions are not looked at."""
    if PAUSE and not getattr(tls, 'busy', False):
        now = monotonic_ns()
        if now - PAUSE[0] >= PAUSE[1] or under_thread(code):
            wake(now, code)
    return PAUSED['disable']


def under_thread(code):
    return code.co_name in ('_bootstrap_inner', 'invoke_excepthook') and code.co_filename.endswith('/threading.py')


def wake(now, code=None):
    """Exceptions are looked at again. The one that is being handled was raised
    meanwhile, or is of the storm."""
    tls.busy = True
    try:
        since, hold = PAUSE
        PAUSED['off']()
        del PAUSE[:]
        cool(now)
        PAUSED['hold'] = min(2 * hold, MAX_HOLD) if now - since < 50 * hold else max(hold // 2, HOLD)
        emit(b'P', ('resume', (now - since) // 1000, 0, 0))
        e = sys.exception()
        if e is not None:
            serial_of(e, 3)
            if code is not None and under_thread(code) and type(e) is not SystemExit:
                final(e, 'thread', '')
    except BaseException as f:
        if not fault('wake', f):
            raise
    finally:
        tls.busy = False


def guarded(f):
    """f as a function of C that returns None where f can't be called for want of
    stack: sys.monitoring calls at the recursion limit, too."""
    if os.uname().machine != 'x86_64':
        return f
    n = native()

    def u64(v):
        return v.to_bytes(8, 'little')

    def call(name):
        return b'\x48\xb8' + u64(n['symbol'](name)) + b'\xff\xd0'

    def value(r):
        return r.value if hasattr(r, 'value') else r

    weak = (RecursionError, MemoryError)
    at = value(n['pointer']('mmap')(n['Void'](0), n['Long'](4096), n['Int'](3), n['Int'](0x22), n['Int'](-1), n['Long'](0)))
    if not at or at == M64:
        return f
    # PyMethodDef: name, function, METH_FASTCALL, doc; then the name, then the code.
    text = b'on_raise'.ljust(16, b'\0')
    code = assemble([
        b'\x48\x83\xec\x08\x48\xbf' + u64(id(f)) + b'\x31\xc9' + call('PyObject_Vectorcall')   # rdi = f; ecx = 0
        + b'\x48\x85\xc0', (b'\x0f\x85', 'out'),
        b'\x48\xbf' + u64(id(weak)) + call('PyErr_ExceptionMatches') + b'\x85\xc0', (b'\x0f\x84', 'fail'),
        call('PyErr_Clear') + b'\x48\xb8' + u64(id(None)), 'out', b'\x48\x83\xc4\x08\xc3',      # rax = None
        'fail', b'\x31\xc0', (b'\xe9', 'out'),
    ], at + 48)
    data = u64(at + 32) + u64(at + 48) + u64(0x80) + u64(0) + text + code
    n['view'](n['Void'](at), n['Long'](4096), n['Int'](0x200))[:len(data)] = data
    if value(n['pointer']('mprotect')(n['Void'](at), n['Long'](4096), n['Int'](5))):
        return f
    KEEP.append(weak)
    KEEP.append(f)
    return n['object']('PyCFunction_NewEx')(n['Void'](at), n['Void'](0), n['Void'](0))


def monitor():
    m = sys.monitoring
    for tool in (4, 3):
        if m.get_tool(tool) is None:
            break
    else:
        return None
    m.use_tool_id(tool, 'culprit')
    ev = m.events
    m.register_callback(tool, ev.RAISE, guarded(on_raise))
    for event in (ev.PY_START, ev.PY_RESUME, ev.LINE):
        m.register_callback(tool, event, news)
    codes = []

    def on(now):
        # Other tools would get events again that they have turned off.
        for other in range(6):
            if other != tool and m.get_tool(other) is not None:
                return
        if sys.gettrace() is not None or sys.getprofile() is not None:
            return
        frame = getframe(3)
        while frame is not None and len(codes) < MAX_STACK:
            code = frame.f_code
            codes.append(code)
            m.set_local_events(tool, code, ev.LINE)
            frame = frame.f_back
        for h in list(HOT.values()):
            if h[2] is not None and len(codes) < 2 * MAX_STACK:
                codes.append(h[2].code)
                m.set_local_events(tool, h[2].code, ev.LINE)
        m.set_events(tool, ev.PY_START | ev.PY_RESUME)
        m.restart_events()
        PAUSE[:] = now, PAUSED['hold']
        emit(b'P', ('pause', 0, 0, 0))

    def off():
        for code in codes:
            m.set_local_events(tool, code, 0)
        del codes[:]
        m.set_events(tool, ev.RAISE)

    PAUSED['on'] = on
    PAUSED['off'] = off
    PAUSED['disable'] = m.DISABLE
    # EXCEPTION_HANDLED is left out: what a signal handler raises in such a
    # callback would miss the program's handler.
    m.set_events(tool, ev.RAISE)
    return 'monitoring'


# 3.8 to 3.11: a jump at the start of PyTraceBack_Here, which the interpreter
# calls for every frame that an exception passes.

PROBE = []


def on_traceback(frame, t, e, tb):
    try:
        key = id(frame.f_code) + (frame.f_lasti << SHIFT)
        if type(e) in SKIP:
            return
        if t is RecursionError:
            # Nothing can be called until it has left some frames.
            entry = tb
            for n in DEEP:
                if entry is None:
                    return
                entry = entry.tb_next
        if getattr(tls, 'busy', False):
            return
        if PROBE:
            PROBE.append(frame.f_code.co_name)
            return
        tls.busy = True
        try:
            reached(frame, key, e, tb)
        finally:
            tls.busy = False
    except BaseException as f:
        if type(f) is not RecursionError and not fault('hook', f):
            raise


def whole_instructions(b, need):
    """Bytes of whole instructions at the start of b, at least need of them, all
    of a form that can run elsewhere; 0 when not sure (Intel SDM vol. 2, 2.1)."""
    i = 0
    while i < need:
        start = i
        if b[i:i + 4] == b'\x66\x0f\xef\xc0':     # pxor xmm0, xmm0
            i += 4
            continue
        rex = b[i] if 0x40 <= b[i] <= 0x4f else 0
        if rex:
            i += 1
        op = b[i]
        i += 1
        if 0x50 <= op <= 0x57:                    # push
            continue
        if op not in (0x89, 0x8b, 0x31, 0x33, 0x85, 0x83, 0x81, 0x8d):
            return 0
        modrm = b[i]
        i += 1
        mod, rm = modrm >> 6, modrm & 7
        if mod != 3:
            if mod == 0 and rm == 5:              # relative to rip
                return 0
            if rm == 4:
                if mod == 0 and b[i] & 7 == 5:
                    return 0
                i += 1
            i += 1 if mod == 1 else 4 if mod == 2 else 0
        if op == 0x83:
            i += 1
        elif op == 0x81:
            i += 4
        if i <= start:
            return 0
    return i


def assemble(parts, at):
    """Puts pieces of code together for an address."""
    labels = {}
    for final in (False, True):
        code = b''
        for x in parts:
            if type(x) is str:
                labels[x] = at + len(code)
            elif type(x) is bytes:
                code += x
            else:
                op, to = x
                to = labels.get(to, at) if type(to) is str else to
                code += op + (to - (at + len(code) + len(op) + 4) & 0xffffffff).to_bytes(4, 'little')
    return code


def hook():
    global TABLE
    if os.uname().machine != 'x86_64' or sys.maxsize < 1 << 32 or not VERSION >= (3, 8):
        return None
    n = native()
    sym = n['symbol']

    def u64(v):
        return v.to_bytes(8, 'little')

    def call(name):
        return b'\x48\xb8' + u64(sym(name)) + b'\xff\xd0'

    def memory(at, size):
        return n['view'](n['Void'](at), n['Long'](size), n['Int'](0x200))

    def value(r):
        return r.value if hasattr(r, 'value') else r

    def map_near(target, size):
        """Memory that a jump reaches from target."""
        near = target & ~4095
        for hint in (near - (1 << 26), near + (1 << 28), near - (1 << 28), near - (1 << 29), near + (1 << 29)):
            if hint <= 1 << 16:
                continue
            at = value(n['pointer']('mmap')(n['Void'](hint), n['Long'](size), n['Int'](3), n['Int'](0x22), n['Int'](-1), n['Long'](0)))
            if at and at != M64 and abs(at - target) < 0x70000000:
                return at
        return 0

    target = sym('PyTraceBack_Here')
    text = memory(target, 48)
    entry = bytes(text)
    if entry[:4] == b'\xf3\x0f\x1e\xfa':          # endbr64 stays first
        target += 4
        entry = entry[4:]
    moved = whole_instructions(entry, 5)
    if not moved:
        return None
    # tstate->tracing stands at 44 from 3.8 to 3.11: proved here, because the
    # thunk counts it up so that a debugger never steps into the agent.
    tstate = value(n['pointer']('PyThreadState_Get')())
    tracing = memory(tstate + 44, 4)
    seen = [bytes(tracing)]

    def trace(frame, event, arg):
        seen.append(bytes(tracing))

    old = sys.gettrace()
    if old is not None:
        return None
    sys.settrace(trace)
    (lambda: 0)()
    sys.settrace(None)
    if len(seen) < 2 or seen[0] != b'\0\0\0\0' or seen[1] != b'\1\0\0\0':
        return None

    # Code in pieces; (jump, label) is a jump to a label, a str a label.
    three = b'\x48\x8d\x3c\x24\x48\x8d\x74\x24\x08\x48\x8d\x54\x24\x10'      # lea rdi, rsi, rdx of the three
    je, jne, jmp = b'\x0f\x84', b'\x0f\x85', b'\xe9'
    weak = (RecursionError, MemoryError)
    KEEP.append(weak)
    KEEP.append(on_traceback)
    enter = b'\x41\xff\x44\x24\x2c'                                          # inc [r12+44]
    out = b'\x41\xff\x4c\x24\x2c'                                            # dec [r12+44]
    if VERSION == (3, 11):
        # The flag that an eval loop looks at is another one there.
        enter = b'\x4c\x89\xe7' + call('PyThreadState_EnterTracing')          # mov rdi, r12
        out = b'\x4c\x89\xe7' + call('PyThreadState_LeaveTracing')
    # rdx = code + offset of the instruction that rbx, the frame, is at; and
    # rdx = code of the frame in rdx (cpython/frameobject.h, 3.11 pycore_frame.h).
    # A frame and a traceback of our own prove the places.
    def word(at, size=8):
        return int.from_bytes(bytes(memory(at, size)), 'little')

    gen = (lambda: (yield))()
    next(gen)
    frame = gen.gi_frame
    code, lasti = id(frame.f_code), frame.f_lasti
    if VERSION == (3, 11):
        inner = word(id(frame) + 24)
        code_at = word(inner + 56) - code - lasti
        good = word(inner + 32) == code and 0 < code_at < 1024
    else:
        at, unit = (96, 2) if VERSION == (3, 10) else (104, 1)
        good = word(id(frame) + 32) == code and word(id(frame) + at, 4) * unit == lasti
    try:
        gen.throw(KeyError)
    except KeyError as e:
        tb = get_tb(e)
        good = good and word(id(tb) + 16) == id(tb.tb_next) and word(id(tb.tb_next) + 24) == id(frame)
        good = good and word(id(tb.tb_next) + 32, 4) == lasti
        del tb
    if not good:
        return None
    code_in = b'\x48\x8b\x52\x20'                                             # mov rdx, [rdx+32]
    shift = b'\x48\xc1\xe1' + bytes((SHIFT,)) if SHIFT else b''                  # rcx <<= SHIFT
    here = b'\x48\x8b\x53\x20\x48\x63\x4b\x68' + shift + b'\x48\x01\xca'        # rdx = [rbx+32] + (sxd [rbx+104] << SHIFT)
    if VERSION == (3, 10):
        here = b'\x48\x8b\x53\x20\x48\x63\x4b\x60' + shift + b'\x48\x8d\x14\x4a'  # rdx = [rbx+32] + 2 * (sxd [rbx+96] << SHIFT)
    elif VERSION == (3, 11):
        code_in = b'\x48\x8b\x52\x18' + code_in                               # mov rdx, [rdx+24]
        here = b'\x48\x8b\x4b\x18\x48\x8b\x51\x38\x48\x81\xea' + code_at.to_bytes(4, 'little')  # rdx = [[rbx+24]+56] - code_at
    size = (1 << TABLE_BITS + 4) + 8
    at = map_near(target, 4096 + size)
    if not at:
        return None
    table = at + 4096
    thread = table + size - 8     # what never ends there: the code under a thread
    slot = (b'\x48\xb8' + u64(GOLDEN) + b'\x48\x0f\xaf\xc2\x48\xc1\xe8' + bytes((64 - TABLE_BITS,))  # rax = rdx * GOLDEN >> ..
            + b'\x48\xc1\xe0\x04\x48\xb9' + u64(table) + b'\x48\x01\xc8\x48\x39\x10')               # rax = table + 16 * rax; cmp [rax], rdx
    # Where a type has its tp_init and tp_new (cpython/object.h), and what stands
    # there in a class with methods of those names.
    class Own(Exception):
        def __new__(cls):
            pass

        def __init__(self):
            pass

    of_class = word(id(Own) + 296), word(id(Own) + 312)
    if of_class[0] == word(id(Exception) + 296) or of_class[1] == word(id(Exception) + 312):
        return None
    at_init, at_new = (296).to_bytes(4, 'little'), (312).to_bytes(4, 'little')
    skipped = []
    for t in SKIP:
        skipped += [b'\x48\xb8' + u64(id(t)) + b'\x48\x39\x04\x24', (je, 'restore')]                 # cmp [rsp], rax
    drop = b''
    for load in (b'\x48\x8b\x3c\x24', b'\x48\x8b\x7c\x24\x08', b'\x48\x8b\x7c\x24\x10'):
        drop += load + call('Py_DecRef')
    restore = b'\x48\x8b\x3c\x24\x48\x8b\x74\x24\x08\x48\x8b\x54\x24\x10' + call('PyErr_Restore')
    parts = [
        b'\x53\x41\x54\x48\x83\xec\x28\x48\x89\xfb' + call('PyThreadState_Get') + b'\x49\x89\xc4'
        + b'\x41\x83\x7c\x24\x2c\x00', (jne, 'skip'),                       # cmp [r12+44], 0
        three + call('PyErr_Fetch') + b'\x48\x83\x3c\x24\x00', (je, 'restore'),  # cmp [rsp], 0
        *skipped,
        # What comes from a hot place ends here: where it is raised, it is counted
        # and one of 256 goes on to be looked at.
        b'\x48\x8b\x44\x24\x10\x48\x85\xc0', (jne, 'outer'),                # rax = traceback
        here + slot, (jne, 'slow'),
        b'\x48\xff\x40\x08\x80\x78\x08\x00', (jne, 'restore'), (jmp, 'slow'),  # inc [rax+8]; cmp byte [rax+8], 0
        'outer', b'\xb9\x80\0\0\0',                                           # mov ecx, 128
        'next', b'\x48\x8b\x50\x10\x48\x85\xd2', (je, 'last'),                # rdx = rax->tb_next
        b'\x48\x89\xd0\xff\xc9', (jne, 'next'), (jmp, 'slow'),                # rax = rdx; dec ecx
        'last', b'\x48\x8b\x50\x18' + code_in                                 # rdx = code of tb_frame
        + b'\x48\x63\x48\x20' + shift + b'\x48\x01\xca' + slot, (jne, 'slow'),  # + (tb_lasti << SHIFT)
        b'\x48\x89\xda' + code_in + b'\x48\xb8' + u64(thread) + b'\x48\x39\x10', (jne, 'restore'),  # rdx = code of rbx; cmp [thread], rdx
        # An exception that isn't made yet is made now, but by code of the program
        # only when the program would: those of its classes are passed over.
        'slow', enter + b'\x48\x8b\x04\x24\x48\x8b\x4c\x24\x08\x48\x85\xc9', (je, 'raw'),  # rax = type, rcx = value
        b'\x48\x39\x41\x08', (je, 'made'),                                     # cmp [rcx+8], rax
        'raw', b'\x48\xba' + u64(of_class[0]) + b'\x48\x39\x90' + at_init, (je, 'good'),
        b'\x48\xba' + u64(of_class[1]) + b'\x48\x39\x90' + at_new, (je, 'good'),
        three + call('PyErr_NormalizeException'), 'made',
        b'\x49\xba' + u64(id(None))
        + b'\x48\x8b\x14\x24\x48\x8b\x4c\x24\x08\x48\x85\xc9\x49\x0f\x44\xca'
        + b'\x4c\x8b\x44\x24\x10\x4d\x85\xc0\x4d\x0f\x44\xc2'
        + b'\x48\x89\xde\x48\xbf' + u64(id(on_traceback)) + b'\x45\x31\xc9\x49\xbb' + u64(sym('PyObject_CallFunctionObjArgs'))
        + b'\x31\xc0\x41\xff\xd3\x48\x85\xc0', (je, 'bad'),
        b'\x48\x89\xc7' + call('Py_DecRef'),
        'good', restore, 'out', out,
        'skip', b'\x48\x89\xdf\x48\x83\xc4\x28\x41\x5c\x5b' + entry[:moved], (jmp, target + moved),
        'restore', restore, (jmp, 'skip'),
        # A failed call: a RecursionError of the call itself is dropped, anything
        # else was raised by a signal handler and takes the place of the exception.
        'bad', b'\x48\xbf' + u64(id(weak)) + call('PyErr_ExceptionMatches') + b'\x85\xc0', (je, 'drop'),
        call('PyErr_Clear'), (jmp, 'good'),
        'drop', drop, (jmp, 'out'),
    ]
    thunk = assemble(parts, at)
    memory(at, 4096)[:len(thunk)] = thunk
    mprotect = n['pointer']('mprotect')
    if value(mprotect(n['Void'](at), n['Long'](4096), n['Int'](5))):
        return None
    jump = assemble([(jmp, at)], target)

    def write(data):
        try:
            fd = os.open('/proc/self/mem', os.O_RDWR | os.O_CLOEXEC)
            try:
                os.pwrite(fd, data, target)
            finally:
                os.close(fd)
        except OSError:
            page = target & ~4095
            size = ((target + len(data) + 4095) & ~4095) - page
            if not value(mprotect(n['Void'](page), n['Long'](size), n['Int'](7))):
                memory(target, len(data))[:] = data
                mprotect(n['Void'](page), n['Long'](size), n['Int'](5))
        return bytes(memory(target, len(data))) == data

    if not write(jump):
        return None
    PROBE.append('')
    tls.busy = False

    def probe():
        raise KeyError('x')
    try:
        probe()
    except KeyError:
        pass
    tls.busy = True
    ok = PROBE == ['', 'probe', 'hook']
    del PROBE[:]
    if not ok:
        write(entry[:5])
        return None
    TABLE = memory(table, size).cast('Q')
    STATE['unhook'] = lambda: write(entry[:5])
    return 'hook'


# 3.8 to 3.11 where the hook can't be placed.

def on_call(frame, event, arg):
    frame.f_trace_lines = False
    return on_event


def on_event(frame, event, arg):
    if event == 'exception' and not getattr(tls, 'busy', False):
        tls.busy = True
        try:
            t, e, tb = arg
            if BaseException not in type_mro(type(e)) or type(e) in SKIP:
                return on_event
            if t is RecursionError:
                entry = tb
                for n in DEEP:
                    if entry is None:
                        return on_event
                    entry = entry.tb_next
            key = id(frame.f_code) + (frame.f_lasti << SHIFT)
            h = HOT.get(key)
            if h is not None and id(e) not in LIVE and (tb is None or tb.tb_next is None) is h[1]:
                h[0] += 1
                if not h[0] & LOOK - 1:
                    cool(monotonic_ns())
                return on_event
            reached(frame, key, e, tb.tb_next if tb is not None and tb.tb_frame is frame else tb)
        except BaseException as f:
            if type(f) is not RecursionError and not fault('trace', f):
                raise
        finally:
            tls.busy = False
    return on_event


def trace():
    if sys.gettrace() is not None:
        return None
    sys.settrace(on_call)
    STATE['trace'] = True
    return 'trace'


# ---- milestones, final hooks, TLS keys ----

COUNTS = {}


def milestone(event, args):
    n = COUNTS.get(event, 0)
    COUNTS[event] = n + 1
    if n >= MILESTONES:
        return
    if event == 'http.client.connect':
        args = (plain(args[1]), show(args[2]))
    elif event == 'http.client.send':
        d = args[1]
        if type(d) not in (bytes, bytearray):
            return
        head = bytes(d[:4]).isalpha() and bytes(d.partition(b'\r\n')[0][:300]).decode('latin-1') or ''
        args = (str(len(d)), mask(head) if ' HTTP/' in head else '')
    elif event == 'urllib.Request':
        d = args[1]
        args = (plain(args[0]), str(len(d)) if type(d) is bytes else '', plain(args[3]))
    elif event == 'socket.getaddrinfo':
        args = (plain(args[0]), plain(args[1]))
    elif event == 'subprocess.Popen':
        argv = args[1]
        args = (plain(args[0]), show(argv) if type(argv) is not list else ' '.join(plain(a) for a in argv[:8]))
    emit(b'A', (event, args))


EVENTS = frozenset(('http.client.connect', 'http.client.send', 'urllib.Request', 'socket.getaddrinfo', 'subprocess.Popen'))


def on_audit(event, args):
    if event not in WATCHED:
        return                    # each frame.f_code is an event, too
    if event == 'import':
        name = args[0]
        if name in HIDDEN:
            # The same module as the agent's: some keep state.
            modules[name] = HIDDEN.pop(name)
            return
        if name in PATCHES and name not in modules:
            watch(name)
        return
    if getattr(tls, 'busy', False):
        return
    if PAUSE:
        now = monotonic_ns()
        if now - PAUSE[0] >= PAUSE[1]:
            wake(now)
    if event not in WANTED:
        return
    tls.busy = True
    try:
        if event == 'sys.excepthook':
            e = args[2]
            if BaseException in type_mro(type(e)):
                top = getframe(0).f_back is None
                final(e, 'excepthook', '', args[3])
                if top:
                    STATE['rc'] = 1
        elif event == 'sys.unraisablehook':
            u = args[1]
            e = u.exc_value
            if BaseException in type_mro(type(e)):
                final(e, 'unraisable', plain(u.err_msg) if type(u.err_msg) is str else '')
        else:
            milestone(event, args)
    except BaseException as f:
        if not fault('audit ' + event, f) and event not in HOOKS:
            raise
    finally:
        tls.busy = False


HOOKS = frozenset(('sys.excepthook', 'sys.unraisablehook'))
WANTED = EVENTS | HOOKS
# And what a program does that is about to have something new to say.
WATCHED = WANTED | frozenset(('import', 'open', 'socket.connect', 'socket.bind', 'socket.sendto', 'socket.sendmsg', 'os.exec',
                              'os.fork', 'os.posix_spawn', 'os.listdir', 'os.remove', 'os.rename', 'ctypes.dlopen', 'sqlite3.connect'))


class Watch:
    """A finder that stands in sys.meta_path only while one module is looked
    for, to change it when it is loaded."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        try:
            sys.meta_path.remove(self)
        except ValueError:
            pass
        spec = None
        for f in list(sys.meta_path):
            find = getattr(f, 'find_spec', None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                break
        try:
            loader = spec.loader
            run = loader.exec_module
            patch = PATCHES[name]

            def exec_module(module):
                try:
                    del loader.exec_module
                except Exception:
                    pass
                run(module)
                try:
                    patch(module)
                except Exception as f:
                    fault('patch ' + name, f)
            loader.exec_module = exec_module
        except Exception:
            pass
        return spec


def watch(name):
    for f in sys.meta_path:
        if type(f) is Watch and f.name == name:
            return
    sys.meta_path.insert(0, Watch(name))


KEYLOG = os.environ.get('SSLKEYLOGFILE') or KEYS


def patch_ssl(ssl):
    """A context made by hand logs its keys as create_default_context's do. The
    work is done in __init__, which ssl doesn't have, so that warnings of
    __new__ keep their stack level."""
    if not KEYLOG:
        return
    base = ssl.SSLContext.__mro__[1]
    field = base.__dict__.get('keylog_filename')
    if field is None or '__init__' in ssl.SSLContext.__dict__:
        return

    def __init__(self, *args, **kwargs):
        try:
            if field.__get__(self) is None:
                field.__set__(self, KEYLOG)
                if 'keylog' not in STATE:
                    STATE['keylog'] = True
                    emit(b'K', (KEYLOG,))
        except Exception:
            pass
    ssl.SSLContext.__init__ = __init__


def patch_logging(logging):
    """Sees exceptions that the program logs. The record's __init__ is over
    before any handler runs, so no stack that is printed shows it."""
    orig = logging.LogRecord.__init__

    def __init__(self, *args, **kwargs):
        orig(self, *args, **kwargs)
        try:
            info = self.__dict__.get('exc_info')
            if type(info) is tuple and len(info) == 3 and BaseException in type_mro(type(info[1])):
                if getattr(tls, 'busy', False):
                    return
                tls.busy = True
                try:
                    name = self.__dict__.get('name')
                    final(info[1], 'asyncio' if name == 'asyncio' else 'logging', plain(name))
                finally:
                    tls.busy = False
        except Exception as f:
            fault('logging', f)
    logging.LogRecord.__init__ = __init__


def patch_threading(threading):
    """Where exceptions are seen by sys.settrace, every thread needs its own."""
    if STATE.get('trace') and threading._trace_hook is None:
        threading.settrace(on_call)


PATCHES = {'ssl': patch_ssl, 'logging': patch_logging, 'threading': patch_threading}


# RETURN_VALUE and RETURN_CONST of Lib/opcode.py.
RETURNS = {(3, 12): (83, 121), (3, 13): (36, 103), (3, 14): (35,)}


def at_exit():
    try:
        x = STATE['exit']
        rc = STATE['rc']
        if PAUSE:
            wake(monotonic_ns())
        tls.busy = True
        cool(0)
        for s in list(SITES_SEEN.values()):
            if s.tell and s.count > s.tell // 10:
                told(s)
        tls.busy = False
        if x is not None:
            STATE['exit'] = None
            frame = x[1]
            # A frame that went on after the SystemExit ended by a return.
            op = frame.f_code.co_code[frame.f_lasti] if frame.f_lasti >= 0 else 0
            if op not in RETURNS.get(VERSION, (83,)):
                emit(b'F', (x[0], 'exit', ''))
                rc = x[2]
        del x
        emit(b'Z', (rc,))
        if 'unhook' in STATE:
            STATE.pop('unhook')()
    except Exception as f:
        fault('exit', f)


# ---- processes ----

def hello(mode):
    argv = getattr(sys, 'orig_argv', None) or getattr(sys, 'argv', [])
    emit(b'I', ('%d.%d.%d' % sys.version_info[:3], sys.executable or '', [plain(a) for a in argv[:16] if type(a) is str],
                [int(x) for x in (sys.flags.dev_mode, sys.flags.optimize, sys.flags.isolated)],
                mode or 'off', ['audit', 'import'], os.getppid(), WAY))


def after_fork():
    global lock, tls, MAIN, WAY, HDR, CAP
    tls.busy = True
    try:
        WAY = 'fork'
        lock = allocate_lock()
        HOLDER[0] = 0
        tls = _local()
        tls.busy = True
        STRINGS.clear()
        forget_codes()
        LIVE.clear()
        if PAUSE:
            PAUSED['off']()
            del PAUSE[:]
        STATE['exit'] = None
        STATE['rc'] = 0
        parent = HDR[1] >> 32
        CAP = 0           # the parent's is not to be written to
        HDR = [0] * 8
        open_ring()
        MAIN = get_native_id()
        hello(STATE['mode'])
        emit(b'D', (parent,))
        if 'keylog' in STATE:
            emit(b'K', (KEYLOG,))
    except Exception:
        pass
    tls.busy = False


def start():
    open_ring()
    tls.tid = MAIN
    tls.busy = True       # the hello comes first
    mode = None
    try:
        if MODERN:
            mode = monitor()
        else:
            if os.environ.get('CULPRIT_CODE') != 'trace':
                try:
                    mode = hook()
                except Exception as f:
                    fault('hook', f)
            if mode is None:
                mode = trace()
    except Exception as f:
        fault('start', f)
    STATE['mode'] = mode
    if mode != 'trace':
        del PATCHES['threading']
    hello(mode)
    tls.busy = False
    atexit.register(at_exit)
    os.register_at_fork(after_in_child=after_fork)
    for name in PATCHES:
        if name in modules:
            PATCHES[name](modules[name])
    sys.addaudithook(on_audit)


def hide():
    """Takes the modules that came with the agent out of the program's sight
    until it imports them."""
    for name in list(modules):
        if name not in BEFORE:
            HIDDEN[name] = modules.pop(name)
    for path in list(sys.path_importer_cache):
        if path not in CACHED:
            del sys.path_importer_cache[path]


HIDDEN = {}
start()
hide()
del start, hook, monitor, trace, guarded, hide, BEFORE, CACHED
