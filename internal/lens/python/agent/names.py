# Names for what records mention more than once: strings, code, places in it.
SHIFT = 0 if VERSION >= (3, 11) else 48   # of its offset: before, code lies elsewhere than its object
STRINGS = {}
CODES = {}
PLACES = {}           # code and offset -> (code, line)
NEXT = [1, 1, 1]      # string, code, exception
try:
    CWD = os.getcwd()
except OSError:
    CWD = ''


def string_id(text):
    n = STRINGS.get(text)
    if n is None:
        n = NEXT[0]
        NEXT[0] = n + 1
        if len(STRINGS) > 20000:
            STRINGS.clear()
        # Known only when it is written: a signal handler may raise in between.
        if emit(b'S', (n, text[:4096])):
            STRINGS[text] = n
    return n


def forget_codes():
    CODES.clear()
    PLACES.clear()


def place(code, frame, entry):
    """(code, line) of a frame, or of a traceback entry; None for what is not
    shown. Lines are slow to find in long code."""
    key = id(code) + ((frame.f_lasti if entry is None else entry.tb_lasti) << SHIFT)
    p = PLACES.get(key, False)
    if p is False:
        p = None
        if not quiet_file(code.co_filename):
            n = code_id(code)
            p = n, (frame.f_lineno if entry is None else entry.tb_lineno) or 0
        if id(code) in CODES or p is None:
            PLACES[key] = p
    return p


def code_id(code):
    entry = CODES.get(id(code))
    if entry is None:
        n = NEXT[1]
        NEXT[1] = n + 1
        if len(CODES) > 20000 or len(PLACES) > 50000:
            forget_codes()
        entry = (n, code)
        name = code.co_filename
        if name[:1] not in ('/', '<') and CWD:
            name = CWD + '/' + name
        qual = code.co_qualname if VERSION >= (3, 11) else code.co_name
        if emit(b'C', (n, string_id(name), qual[:400], code.co_firstlineno)):
            CODES[id(code)] = entry
    return entry[0]


def quiet_file(name):
    return name[:10] == '<frozen im' or name == '<frozen zipimport>' or name == '<culprit>'
