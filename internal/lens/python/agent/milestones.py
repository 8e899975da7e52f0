# Milestones of a program, by audit events; its last words on exceptions; the TLS
# keys and logged exceptions of modules that it imports.
MILESTONES = 500      # audit milestones of one kind

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
        args = (plain(args[0]), show(argv) if type(argv) is not list else ' '.join(masked_args(argv[:8])))
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
