# C functions of the interpreter and the C library, memory, and machine code.
NATIVE = {}           # C functions by name
M64 = (1 << 64) - 1


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


def value(r):
    return r.value if hasattr(r, 'value') else r


def memory(at, size):
    """A view of memory, to be read and written."""
    n = native()
    return n['view'](n['Void'](at), n['Long'](size), n['Int'](0x200))


def map_memory(hint, size, flags=0x22, fd=-1):
    """A new mapping, private and of no file unless said, 0 when there is none."""
    n = native()
    at = value(n['pointer']('mmap')(n['Void'](hint), n['Long'](size), n['Int'](3), n['Int'](flags), n['Int'](fd), n['Long'](0)))
    return at if at and at != M64 else 0


def protect(at, size, prot):
    n = native()
    return not value(n['pointer']('mprotect')(n['Void'](at), n['Long'](size), n['Int'](prot)))


def u64(v):
    return v.to_bytes(8, 'little')


def call(name):
    """mov rax, function; call rax"""
    return b'\x48\xb8' + u64(native()['symbol'](name)) + b'\xff\xd0'


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
