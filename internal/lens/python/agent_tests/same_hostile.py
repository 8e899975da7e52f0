# Values that misbehave when they are looked at, in frames that exceptions leave.
import sys, time
class Raises:
    def __repr__(self):
        raise SystemExit('repr')
class Recurses:
    def __repr__(self):
        return repr([self])
class Blocks:
    def __repr__(self):
        time.sleep(3600)
class Prints:
    def __repr__(self):
        print('repr')
        return 'x'
    __str__ = __format__ = __repr__
class Huge:
    def __repr__(self):
        return 'x' * (1 << 30)
class Logs:
    def __getattr__(self, name):
        print('getattr', name)
        raise AttributeError(name)
    def __getattribute__(self, name):
        print('getattribute', name)
        return object.__getattribute__(self, name)
class Odd(dict):
    def __iter__(self):
        print('iter')
        return iter(())
    def __len__(self):
        print('len')
        return 1 << 60
    keys = items = values = get = __iter__
class Text(str):
    def __str__(self):
        print('str')
        return 'x'
    lower = find = encode = __str__
class Meta(type):
    def __getattribute__(cls, name):
        print('meta', name)
        return type.__getattribute__(cls, name)
    def __instancecheck__(cls, x):
        print('isinstance')
        return True
    __subclasscheck__ = __instancecheck__
class Strange(metaclass=Meta):
    __slots__ = ('a',)
class Fails(Exception):
    def __init__(self, *args):
        self.args = args
        self.reason = Recurses()
        self.token = Logs()
    def __str__(self):
        print('str of exception')
        raise ValueError
    @property
    def errno(self):
        print('errno')
    @property
    def __notes__(self):
        print('notes')
def f(deep, values):
    a, b, c, d, e, g = Raises(), Recurses(), Blocks(), Prints(), Huge(), Logs()
    h, i, j = Odd(x=1), Text('password=secret'), object.__new__(Strange)
    many = [0] * 10 ** 7
    big = {n: n for n in range(10 ** 5)}
    own = []
    own.append(own)
    if deep:
        f(deep - 1, values)
    raise Fails(a, b, c, Text('t'))
class Hash(Exception):
    def __eq__(self, other):
        print('eq')
        return True
    def __hash__(self):
        print('hash')
        return 0
for n in range(3):
    try:
        f(n, [Logs(), Prints(), {Text('k'): Logs()}])
    except Fails as e:
        print('caught', len(e.args))
try:
    try:
        raise Hash
    except Hash:
        raise Hash from Hash()
except Hash:
    print('caught')
