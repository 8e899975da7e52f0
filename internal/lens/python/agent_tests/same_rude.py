# A program that does to its process and interpreter what the argument says.
import os, sys
how = sys.argv[1]
def error():
    try:
        return {}['x']
    except KeyError as e:
        return type(e).__name__
def fail(n=2):
    if n:
        fail(n - 1)
    raise ValueError('the end')
if how == 'fds':
    error()
    os.closerange(3, 4096)
    print(error(), os.open('/dev/null', os.O_RDONLY))
elif how == 'allfds':
    error()
    print('before', flush=True)
    os.closerange(0, 4096)
    fd = os.open('/dev/null', os.O_RDWR)
    error()
    os._exit(fd)
elif how == 'hooks':
    import threading
    sys.excepthook = lambda t, e, tb: print('hook', t.__name__, e)
    sys.unraisablehook = lambda u: print('unraisable', type(u.exc_value).__name__)
    threading.excepthook = lambda a: print('thread', a.exc_type.__name__)
    t = threading.Thread(target=fail)
    t.start(); t.join()
    class D:
        def __del__(self):
            fail()
    D()
    fail()
elif how == 'modules':
    error()
    keep = dict(sys.modules)
    sys.modules.clear()
    print(error())
    sys.modules.update(keep)
    fail()
elif how == 'builtins':
    import builtins
    error()
    for name in ('len', 'type', 'id', 'getattr', 'repr', 'range', 'list', 'isinstance', 'dict', 'str'):
        setattr(builtins, name, None)
    error()
    sys.stdout.write('done\n')
elif how == 'uid':
    error()
    if os.getuid() == 0:
        os.setgid(65534); os.setuid(65534)
    print(error())
    pid = os.fork()
    if pid == 0:
        error()
        os._exit(3)
    print(os.waitpid(pid, 0)[1])
    fail()
elif how == 'chroot':
    error()
    if os.getuid() == 0:
        os.chroot('/proc/self/fdinfo'); os.chdir('/')
    print(error())
    pid = os.fork()
    if pid == 0:
        error()
        os._exit(3)
    print(os.waitpid(pid, 0)[1])
    fail()
elif how == 'threadfork':
    import threading, warnings
    warnings.simplefilter('ignore')      # it tells the process's number
    def run():
        pid = os.fork()
        if pid == 0:
            print(error(), flush=True)
            os._exit(5)
        print(os.waitpid(pid, 0)[1], error(), flush=True)
    t = threading.Thread(target=run)
    t.start(); t.join()
elif how == 'shutdown':
    import atexit
    class Late:
        def __del__(self):
            try:
                fail()
            except ValueError as e:
                os.write(1, b'late\n')
            fail()
    module = sys.modules['__main__']
    module.late = Late()
    late = Late(); late.self = late
    def bye():
        print(error())
        fail()
    atexit.register(bye)
elif how == 'settrace':
    sys.settrace(lambda *a: None)
    print(error())
    sys.settrace(None)
    sys.setprofile(None)
    fail()
elif how == 'limits':
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    print(error())
    pid = os.fork()
    if pid == 0:
        error()
        os._exit(3)
    print(os.waitpid(pid, 0)[1])
    fail()
