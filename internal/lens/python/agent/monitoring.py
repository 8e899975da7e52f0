# sys.monitoring, 3.12 and later.
#
# Its events cost a tenth of a microsecond each whatever the callback does, and
# those of exceptions can't be turned off for one place. So in a storm they are
# turned off altogether, and the program is watched for doing anything that it
# does not do in the storm: beginning a function or, in the functions that stood
# on the stack, a line that was not run since. Those events are turned off one by
# one as they come, and cost nothing then.
STORM = 25 * 10**6    # ns: when LOOK events take less, exceptions are not looked at for a while
HOLD = 10**6          # ns that such a pause takes at least; doubled, up to MAX_HOLD, when it
MAX_HOLD = 2 * 10**8  # proves to be too short

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
    weak = (RecursionError, MemoryError)
    at = map_memory(0, 4096)
    if not at:
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
    memory(at, 4096)[:len(data)] = data
    if not protect(at, 4096, 5):
        return f
    KEEP.append(weak)
    KEEP.append(f)
    n = native()
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
