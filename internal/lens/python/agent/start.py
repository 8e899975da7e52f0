# The agent's beginning, its end, and what a fork needs.

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


def hello(mode):
    argv = getattr(sys, 'orig_argv', None) or getattr(sys, 'argv', [])
    emit(b'I', ('%d.%d.%d' % sys.version_info[:3], sys.executable or '', masked_args(a for a in argv[:16] if type(a) is str),
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
