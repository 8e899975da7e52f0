import sys, traceback
def f(n):
    return f(n + 1)
try:
    f(0)
except RecursionError as e:
    print(e, len(traceback.extract_tb(e.__traceback__)))
def g(n):
    try:
        return g(n + 1)
    except RecursionError:
        raise
try:
    g(0)
except RecursionError as e:
    print(e)
class R:
    def __repr__(self):
        return repr([self])
try:
    repr(R())
except RecursionError as e:
    print(type(e))
for n in range(5):
    try:
        f(0)
    except RecursionError:
        pass
try:
    x = bytearray(1 << 60)
except MemoryError as e:
    print('memory', e)
f(0)
