# A program's values as text: bounded, what looks like a secret masked, and
# without running any code of the program (no __repr__, __str__, __eq__ or
# property of a class that is not built in). The parts of the agent, and threads.py,
# are run as one text with this before them, and bring gc.
import sys, builtins

# The program may put others in their places.
__builtins__ = dict(builtins.__dict__)
VERSION = sys.version_info[:2]
MODERN = VERSION >= (3, 12)
MAX_LOCALS = 32       # of one frame
modules = sys.modules
type_mro = type.__dict__['__mro__'].__get__
type_qual = type.__dict__['__qualname__'].__get__
type_module = type.__dict__['__module__'].__get__
get_args = BaseException.__dict__['args'].__get__
get_exc_dict = BaseException.__dict__['__dict__'].__get__
GetSet = type(BaseException.__dict__['__traceback__'])
Function = type(lambda: 0)
Module = type(sys)
Builtin = type(len)
OPTIMIZED = 1


def class_name(t):
    m = type_module(t)
    q = type_qual(t)
    if type(m) is not str or m == 'builtins':
        return q[:200]
    return m[:200] + '.' + q[:200]


SECRET = ('passw', 'passphrase', 'passwd', 'secret', 'token', 'authoriz', 'authent', 'cookie', 'api_key', 'apikey',
          'api-key', 'access_key', 'access-key', 'private_key', 'private-key', 'session', 'credential', 'signature', 'bearer', 'jwt',
          'pwd', 'csrf', 'xsrf')
# Beginnings of words that are credentials by their shape: PEM, JWT, and those of
# GitHub, GitLab, AWS, Slack, Google, Stripe and npm.
SHAPES = ('-----begin', 'eyj', 'ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_', 'glpat-', 'akia', 'asia', 'xoxb-', 'xoxp-', 'xoxa-',
          'xoxs-', 'aiza', 'sk_live_', 'rk_live_', 'npm_')
MASK = '<masked>'
NAMES = {}            # names that were looked at


def is_secret(name):
    known = NAMES.get(name)
    if known is None:
        if len(NAMES) > 4096:
            NAMES.clear()
        low = name.lower()
        known = low in ('pass', 'auth', 'sid', 'pw', 'otp', 'cvv', 'creds')
        for s in SECRET:
            if s in low:
                known = True
        NAMES[name[:200]] = known
    return known


def word_end(low, i):
    while i < len(low) and (low[i].isalnum() or low[i] in '_-'):
        i += 1
    return i


def shaped(text, low, start):
    """Where the first word begins from start on that is a credential by its
    shape, or -1."""
    at = -1
    for m in SHAPES:
        if m not in low:
            continue
        i = low.find(m, start)
        while i >= 0:
            if i == 0 or not low[i - 1].isalnum():
                end = word_end(low, i + len(m))
                # An AWS id is in capitals; the others have some length.
                if m[0] == '-' or end - i >= 16 and (m not in ('akia', 'asia') or text[i:end].isupper()):
                    break
            i = low.find(m, i + 1)
        if i >= 0 and (at < 0 or i < at):
            at = i
    return at


def named(low, start):
    """Where the value begins from start on that follows the name of a credential
    (password=x, "token": "x", Authorization: x, --secret x, bearer x), or -1."""
    at = -1
    size = len(low)
    for s in SECRET:
        if s not in low:
            continue
        i = low.find(s, start)
        while i >= 0:
            j = word_end(low, i + len(s))
            k = j
            while k < size and low[k] in '\'"\\] ':
                k += 1
            sep = low[k:k + 1]
            first = i
            while first and (low[first - 1].isalnum() or low[first - 1] in '_-'):
                first -= 1
            # "unexpected token: x" is about something else.
            weak = s == 'token' and sep == ':' and k == j and first == i and low[i - 1:i] == ' '
            if sep and sep in '=:>' and not weak:
                k += 1
            elif not (low[first:first + 2] == '--' or s == 'bearer') or low[j:j + 1] != ' ':
                i = low.find(s, j)
                continue
            while k < size and low[k] in '\'"\\ ':
                k += 1
            if k < size and (at < 0 or k < at):
                at = k
            break
    i = low.find('basic ', start)
    while 0 <= i <= size - 14:
        if ' ' not in low[i + 6:i + 14] and (i == 0 or not low[i - 1].isalnum()):
            return i + 6 if at < 0 or i + 6 < at else at
        i = low.find('basic ', i + 1)
    return at


def credential(text, low, start):
    """Where the first credential begins from start on, or -1."""
    at = shaped(text, low, start) if len(low) >= 10 else -1    # the shortest shape
    i = named(low, start) if ' ' in low or '=' in low or ':' in low or '>' in low else -1
    return i if i >= 0 and (at < 0 or i < at) else at


def mask(text, cut=False):
    """Ends text where a credential seems to begin; one in the parameters of a
    URL, or before its host, is left out. cut says that more of text follows."""
    low = text.lower()
    if len(low) != len(text):     # a letter is longer as a small one
        low = ''.join([c.lower() if len(c.lower()) == 1 else c for c in text])
    at = credential(text, low, 0)
    done = ''
    start = 0                     # what is before it stands in done
    while True:
        url = text.find('://', start)
        if 0 <= url and (at < 0 or url < at):
            end = url + 3
            while end < len(text) and text[end] not in '/?#\'" \t\r\n<>':
                end += 1
            host = text.rfind('@', url, end)
            if host >= 0:
                done += text[start:url + 3] + MASK
                start = host
            elif end == len(text) and cut:
                return done + text[start:url + 3] + MASK
            else:
                done += text[start:end]
                start = end
        elif at < 0:
            return done + text[start:]
        elif text[at:at + 8] == MASK:
            done += text[start:at + 8]
            start = at + 8
        else:
            parameter = max(text.rfind('?', start, at), text.rfind('&', start, at))
            end = at
            while end < len(text) and text[end] not in '& \'"\t\r\n<>#':
                end += 1
            done += text[start:at] + MASK
            if parameter < 0 or text[at - 1:at] != '=' or text[end:end + 1] != '&':
                return done
            start = end
        if 0 <= at < start:
            at = credential(text, low, start)


def masked_args(argv):
    """An argument vector as text; what follows --password is masked."""
    out = []
    for a in argv:
        text = plain(a)
        if out and out[-1][:1] == '-' and '=' not in out[-1] and is_secret(out[-1]) and text[:1] != '-':
            text = MASK
        out.append(text)
    return out


def show(v, deep=1):
    """A bounded repr that runs no code of the program."""
    t = type(v)
    if t is str:
        n = len(v)
        if n > 160:
            return repr(mask(v[:160], True)) + '+%d' % (n - 160)
        return repr(mask(v))
    if v is None or t is bool or t is float or t is complex or v is Ellipsis:
        return repr(v)
    if t is int:
        return repr(v) if v.bit_length() < 512 else '<int of %d bits>' % v.bit_length()
    if t is bytes or t is bytearray:
        n = len(v)
        return repr(mask(bytes(v[:64]).decode('latin-1'), n > 64).encode('latin-1')) + ('+%d' % (n - 64) if n > 64 else '')
    if t is list or t is tuple or t is set or t is frozenset:
        n = len(v)
        if deep <= 0:
            return '<%s of %d>' % (t.__name__, n)
        part = []
        for x in heads(v, 3):
            part.append(show(x, deep - 1))
        # A header as (name, value).
        if n == 2 and (t is list or t is tuple) and secret_key(v[0]) and type(v[1]) in TEXT:
            part[1:] = [MASK]
        text = ', '.join(part)
        if n > 3:
            text += ', +%d' % (n - 3)
        if t is list:
            return '[' + text + ']'
        if t is tuple:
            return '(' + text + (',)' if n == 1 else ')')
        return ('{' + text + '}') if t is set and n else t.__name__ + '({' + text + '})'
    if t is dict:
        n = len(v)
        if deep <= 0:
            return '<dict of %d>' % n
        part = []
        for k in heads(v, 3):
            x = MASK if secret_key(k) else show(dict.get(v, k) if type(k) in HASHABLE else None, deep - 1)
            part.append(show(k, deep - 1) + ': ' + x)
        return '{' + ', '.join(part) + (', +%d}' % (n - 3) if n > 3 else '}')
    if t is type:
        return '<class %s>' % class_name(v)
    if t is Function or t is Builtin:
        return '<function %s>' % v.__qualname__[:120]
    if t is Module:
        name = v.__dict__.get('__name__')
        return '<module %s>' % (name[:120] if type(name) is str else '?')
    mro = type_mro(t)
    if BaseException in mro:
        return '%s(%s)' % (class_name(t), describe(v, deep - 1))
    name = class_name(t)
    sock = modules.get('_socket')
    if sock is not None and sock.socket in mro:
        try:
            return '<%s fd=%d>' % (name, sock.socket.fileno(v))
        except Exception:
            pass
    if deep > 0:
        d = instance_dict(v, t, mro)
        if d:
            part = []
            for k in heads(d, 40):
                if type(k) is not str:
                    continue
                x = d.get(k)
                if type(x) in SCALAR:
                    part.append('%s=%s' % (k[:40], MASK if is_secret(k) and x is not None and type(x) is not bool else show(x, 0)))
                    if len(part) == 4:
                        break
            if part:
                return '<%s %s>' % (name, ' '.join(part))
    return '<%s>' % name


SCALAR = frozenset((str, bytes, int, bool, float, type(None)))
HASHABLE = frozenset((str, bytes, int, bool, float, type(None)))
TEXT = frozenset((str, bytes, bytearray, list, tuple, dict, set, frozenset))


def heads(v, most):
    """The first items of a container that another thread may be changing."""
    out = []
    try:
        for x in v:
            if len(out) == most:
                break
            out.append(x)
    except RuntimeError:
        pass
    return out


def secret_key(k):
    if type(k) is bytes:
        k = k[:200].decode('latin-1')
    return type(k) is str and is_secret(k)


def instance_dict(v, t, mro):
    """The real __dict__ of v, never a property of that name."""
    for c in mro:
        d = type.__dict__['__dict__'].__get__(c).get('__dict__')
        if d is not None:
            if type(d) is not GetSet:
                return None
            d = d.__get__(v, t)
            return d if type(d) is dict else None
    return None


def unicode_text(c, e):
    """What str() says of a UnicodeDecodeError or UnicodeEncodeError."""
    obj, start, end = (c.__dict__[n].__get__(e) for n in ('object', 'start', 'end'))
    verb, what = ('decode', 'byte') if c is UnicodeDecodeError else ('encode', 'character')
    if end == start + 1 and type(obj) in (bytes, str) and 0 <= start < len(obj):
        one = obj[start]
        if type(one) is int:
            one = '0x%02x' % one
        else:
            n = ord(one)
            one = "'%s'" % ('\\x%02x' % n if n < 256 else '\\u%04x' % n if n < 65536 else '\\U%08x' % n)
        where = '%s %s in position %d' % (what, one, start)
    else:
        where = '%ss in position %d-%d' % (what, start, end - 1)
    return "'%s' codec can't %s %s: %s" % (plain(c.encoding.__get__(e)), verb, where, plain(c.reason.__get__(e)))


def describe(e, deep=1):
    """What str(e) would say, as far as no code of the program is needed."""
    t = type(e)
    mro = type_mro(t)
    args = get_args(e)
    if OSError in mro:
        no, text = OSError.errno.__get__(e), OSError.strerror.__get__(e)
        name = class_name(t)
        if name == 'urllib.error.URLError':
            reason = (get_exc_dict(e) or {}).get('reason')
            return '<urlopen error %s>' % (describe(reason, deep - 1) if BaseException in type_mro(type(reason)) and deep > 0 else plain(reason))
        if name == 'urllib.error.HTTPError':
            d = get_exc_dict(e) or {}
            return 'HTTP Error %s: %s' % (plain(d.get('code')), plain(d.get('msg')))
        if type(no) is int:
            out = '[Errno %d] %s' % (no, plain(text))
            if t.__module__ == 'ssl' and len(args) > 1:
                out = plain(args[1])
            f = OSError.filename.__get__(e)
            if f is not None:
                out += ': ' + show(f, 0)
            f = OSError.filename2.__get__(e)
            if f is not None:
                out += ' -> ' + show(f, 0)
            return out
    if ImportError in mro:
        m = ImportError.msg.__get__(e)
        return plain(m) if m is not None else ''
    if SyntaxError in mro:
        return '%s (%s, line %s)' % (plain(SyntaxError.msg.__get__(e)), plain(SyntaxError.filename.__get__(e)), plain(SyntaxError.lineno.__get__(e)))
    for c in (UnicodeDecodeError, UnicodeEncodeError):
        if c in mro:
            return unicode_text(c, e)
    if class_name(t) == 'subprocess.CalledProcessError':
        d = get_exc_dict(e) or {}
        return 'Command %s returned exit status %s' % (show(d.get('cmd')), show(d.get('returncode')))
    if not args:
        return ''
    if KeyError in mro and len(args) == 1:
        return show(args[0])
    if len(args) == 1 or MODERN and BaseExceptionGroup in mro:
        a = args[0]
        if BaseException in type_mro(type(a)):
            return describe(a, deep - 1) if deep > 0 else class_name(type(a))
        return plain(a)
    return show(args)


def plain(v):
    if type(v) is str:
        return mask(v[:500], len(v) > 500) + ('+%d' % (len(v) - 500) if len(v) > 500 else '')
    return show(v)


def locals_of(frame, code):
    out = []
    snap = None
    if VERSION < (3, 13) and code.co_flags & OPTIMIZED:
        # f_locals makes a dict that stays with the frame. Unless the program
        # has called locals() itself, it is emptied again, so that no value
        # lives longer than it would have.
        own = gc.get_referents(frame)
        d = frame.f_locals
        for x in own:
            if x is d:
                break
        else:
            snap = d
    else:
        d = frame.f_locals
    try:
        top = not code.co_flags & OPTIMIZED
        for k in list(d):
            if type(k) is not str or k[:1] == '@':
                continue
            v = d[k] if not top else d.get(k)
            t = type(v)
            if top and (k[:2] == '__' or t is Module or t is type or t is Function or t is Builtin):
                continue
            if len(out) == MAX_LOCALS:
                out.append(('...', '', '+%d' % (len(d) - MAX_LOCALS)))
                break
            if is_secret(k):
                text = MASK if t in TEXT else '<%s>' % class_name(t)
            else:
                text = show(v)
            out.append((k[:100], class_name(t), text[:300]))
    finally:
        if snap is not None:
            snap.clear()
    return tuple(out)
