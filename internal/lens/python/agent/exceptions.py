# What is written of an exception: R, X for what it wraps, U for the frames that
# it leaves, F for how it ended; and E for the agent's own mistakes.
MAX_STACK = 64
MAX_FRAMES = 16       # frames with locals of one exception

getframe = sys._getframe
get_tb = BaseException.__dict__['__traceback__'].__get__
get_context = BaseException.__dict__['__context__'].__get__
get_cause = BaseException.__dict__['__cause__'].__get__
get_suppress = BaseException.__dict__['__suppress_context__'].__get__

LIVE = {}             # id of an exception -> [serial, type, frames left, last traceback entry's id]
STATE = {'exit': None, 'rc': 0, 'busy': False}
MAIN = get_native_id()


def attributes(e, t, mro):
    """Pairs (name, value) that a diagnosis needs; values are int, str, bytes,
    bool, None. package stream lists them."""
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
        for k in heads(d, 40):
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
