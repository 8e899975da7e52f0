# Loads culprit's agent, leaves no trace of it, and hands over to the
# sitecustomize that would have run without it. Python 2.7 can parse this file.
def _culprit():
    import sys
    here = __file__.rpartition('/')[0]
    real = lambda p: p.rstrip('/') == here
    sys.path[:] = [p for p in sys.path if not real(p)]
    sys.path_importer_cache.pop(here, None)
    sys.modules.pop('sitecustomize', None)
    try:
        import os
        run = os.environ.get('CULPRIT_DIR')
        if not run:
            return
        v = sys.version_info
        impl = getattr(sys, 'implementation', None)
        why = None
        if v < (3, 8):
            why = 'python-too-old'
        elif v >= (3, 15):
            why = 'python-too-new'
        elif impl.name != 'cpython':
            why = 'python-not-cpython'
        elif 't' in getattr(sys, 'abiflags', ''):
            why = 'python-free-threaded'
        if why:
            note = '%s/python-%d.note' % (run, os.getpid())
            fd = os.open(note + '.new', os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, ('%s %d.%d.%d %s' % (why, v[0], v[1], v[2], sys.executable)).encode('utf-8'))
            os.close(fd)
            os.rename(note + '.new', note)
            return
        import marshal
        # Compiling takes longer than the whole start, so the first process of a
        # run leaves the code for the others.
        cache = '%s/agent-%s-%d.%d.%d.code' % ((here, impl.cache_tag) + v[:3])
        code = None
        try:
            fd = os.open(cache, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            fd = os.open(here + '/agent.py', os.O_RDONLY | os.O_CLOEXEC)
            try:
                text = os.read(fd, 1 << 20)
            finally:
                os.close(fd)
            code = compile(text, '<culprit>', 'exec', 0, True, 2)
            try:
                tmp = '%s.%d' % (cache, os.getpid())
                fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    os.write(fd, marshal.dumps(code))
                finally:
                    os.close(fd)
                os.rename(tmp, cache)
            except OSError:
                pass
        else:
            try:
                code = marshal.loads(os.read(fd, 1 << 20))
            finally:
                os.close(fd)
        exec(code, {'__name__': '<culprit>', 'RUN': run, 'WAY': 'the environment', 'KEYS': ''})
    except Exception:
        pass


_culprit()
del _culprit
try:
    import sitecustomize
except ImportError:
    import sys as _sys
    _e = _sys.exc_info()[1]
    if getattr(_e, 'name', 'sitecustomize') != 'sitecustomize' or 'sitecustomize' not in str(_e):
        raise
    # site.py passes over exactly this one.
    _e = ImportError("No module named 'sitecustomize'")
    try:
        _e.name = 'sitecustomize'
    except Exception:
        pass
    if _sys.version_info[0] > 2:
        _e.__suppress_context__ = True
    raise _e
