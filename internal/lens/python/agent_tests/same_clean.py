# What a program could notice.
import sys, os, gc, warnings
print(sorted(m for m in sys.modules if 'ctypes' in m or 'culprit' in m or m in ('sitecustomize', 'mmap', 'struct', 'threading', 'logging', 'ssl')))
print([p for p in sys.path if 'culprit' in p or 'python' == os.path.basename(p)], len(sys.meta_path), len(gc.callbacks))
print(sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__, sys.gettrace(), sys.getprofile())
print(sorted(os.listdir('/proc/self/fd')), len(os.listdir('/proc/self/task')))
print(sorted(k for k in globals() if not k.startswith('__')))
print(sorted(sys.path_importer_cache)[:0], sys.getrecursionlimit(), gc.get_count()[2] >= 0)
import ctypes, struct, json, ssl, logging
print(ctypes.CDLL(None).getpid() == os.getpid(), ctypes.sizeof(ctypes.c_long), len(sys.meta_path))
class S(ctypes.Structure):
    _fields_ = [('a', ctypes.c_int)]
print(S(3).a)
CB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
print(CB(lambda x: x + 1)(4))
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter('always')
    c = ssl.SSLContext()
    print([(x.category.__name__, os.path.basename(x.filename), x.lineno) for x in w])
print(c.verify_mode, type(c))
try:
    logging.getLogger().warning('w')
    logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stdout)]
    logging.getLogger().error('%d', 'x')
except Exception as e:
    print(e)
