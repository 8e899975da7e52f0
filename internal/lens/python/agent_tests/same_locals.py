# Lives of objects and dicts of locals.
import sys, weakref, traceback
class C:
    pass
refs = []
def f():
    c = C()
    refs.append(weakref.ref(c))
    raise ValueError
def g():
    d = locals()
    x = 2
    h(d)
def h(d):
    a = {'d': 1}
    raise KeyError
try:
    f()
except ValueError as e:
    traceback.clear_frames(e.__traceback__)
    print(refs[0]())
try:
    f()
except ValueError as e:
    print(refs[1]() is not None)
print(refs[1]())
try:
    g()
except KeyError as e:
    tb = e.__traceback__
    print(sorted(tb.tb_next.tb_frame.f_locals), tb.tb_next.tb_next.tb_frame.f_locals['a'])
def gen():
    try:
        yield 1
        yield 2
    finally:
        print('closed')
for x in gen():
    break
def gen2():
    v = C()
    yield
    raise OSError(5, 'x')
try:
    list(gen2())
except OSError as e:
    print(e)
class Evil(Exception):
    def __getattribute__(self, n):
        print('getattribute', n)
        return Exception.__getattribute__(self, n)
    def __str__(self):
        print('str')
        return 'evil'
    __repr__ = __str__
    @property
    def __class__(self):
        print('class')
        return Exception
    def __eq__(self, o):
        print('eq')
        return True
    def __hash__(self):
        print('hash')
        return 1
class K:
    def __eq__(self, o): print('eq'); return True
    def __hash__(self): return 1
    def __del__(self): print('del')
def evil():
    k = K()
    d = {k: 1}
    s = {k}
    raise Evil(k)
try:
    evil()
except Exception:
    print('caught')
try:
    {}[K()]
except KeyError:
    pass
