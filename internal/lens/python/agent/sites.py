# Places that raise, and which of their exceptions are recorded: a program may
# raise the same one millions of times.
SITE_BUDGET = 40      # records of one place, after that they are only counted
SITE_FIRST = 10       # of them at any pace, the others this many ns apart
SITE_APART = 10**6
SAMPLE = 10**9        # ns after which one of a place over its budget is recorded again
BURST = 20            # counted ones of a place within BURST_TIME that make it hot
BURST_TIME = 10**7    # ns
LOOK = 128            # events of a hot place from one look at the clock to the next; a power of 2
SITES = 16384         # places known at a time

SKIP = frozenset((StopIteration, StopAsyncIteration, GeneratorExit))
SITES_SEEN = {}       # address of an instruction -> Site
HOT = {}              # address -> Hot: events there are told from news at a glance
DEEP = (None,) * 80   # frames of room that the agent needs at the recursion limit
TABLE = None          # pairs (address, events) of hot places, at the address's hash; code under threads
TABLE_BITS = 10
GOLDEN = 0x9e3779b97f4a7c15
COOLED = [monotonic_ns()]


class Site:
    """A place that raises."""
    __slots__ = 'count', 'kept', 'code', 'line', 'next', 'gap', 'tell', 'since', 'burst', 'hot'

    def __init__(self, code):
        self.count = self.kept = 0
        self.code = code          # so that its address stays its own
        self.line = 0
        self.next = 0             # when one is recorded again
        self.gap = SITE_APART     # from that one to the next
        self.tell = 0             # count to be told next
        self.since = 0            # start of the present burst
        self.burst = 0            # exceptions in it
        self.hot = False


def budget(s, key, frame, t):
    """Counts an exception that is raised in a place. Says whether it is to be
    recorded."""
    n = s.count = s.count + 1
    now = monotonic_ns()
    if s.kept < SITE_FIRST or now >= s.next:
        s.kept += 1
        s.next = now + s.gap
        if s.kept >= SITE_BUDGET:
            s.gap = min(max(2 * s.gap, SAMPLE), 64 * SAMPLE)
        return True
    if n >= s.tell:
        s.line = frame.f_lineno or 0
        told(s)
    if now - s.since > BURST_TIME:
        s.since = now
        s.burst = 0
    s.burst += 1
    if s.burst >= BURST and t is not SystemExit:
        s.hot = True
        heat(key, s, True)
    return False


def told(s):
    s.tell = 10 * s.count
    emit(b'P', ('budget', s.count, code_id(s.code), s.line))


def heat(key, s, origin):
    """From now on events of a place are told from news at a glance. origin says
    that the place raises and does not only pass on."""
    if TABLE is not None:
        # The jump's code does it, for origins; it tells others by their origin.
        if origin and s is not None:
            i = (key * GOLDEN & M64) >> 64 - TABLE_BITS
            HOT[i] = [0, True, s, 0]
            TABLE[2 * i + 1] = 0
            TABLE[2 * i] = key & M64
            threading = modules.get('threading')
            if type(threading) is Module:
                code = getattr(threading.Thread._bootstrap_inner, '__code__', None)
                TABLE[2 << TABLE_BITS] = id(code)
        return
    if len(HOT) > SITES:
        HOT.clear()
    HOT[key] = [0, origin, s, monotonic_ns()]


def cool(now):
    """Now and then hot places are looked at anew."""
    COOLED[0] = now
    for i in list(HOT):
        h = HOT.pop(i)
        if TABLE is not None:
            h[0] = TABLE[2 * i + 1]
            TABLE[2 * i] = 0
        if h[2] is not None:
            h[2].count += h[0] if h[1] else 0
            h[2].hot = False


def reached(frame, key, e, inner):
    """An exception is in frame; inner is the traceback below it, None where it
    was raised."""
    code = frame.f_code
    x = LIVE.get(id(e))
    t = type(e)
    if x is not None and (x[1] is not t or inner is None):
        LIVE.pop(id(e), None)
        x = None
    if x is None:
        if inner is not None:
            # Not seen where it was raised: nearly always because it was over
            # the budget there, else because much has happened since.
            entry = inner
            while entry.tb_next is not None:
                entry = entry.tb_next
            s = SITES_SEEN.get(id(entry.tb_frame.f_code) + (entry.tb_lasti << SHIFT))
            if s is not None and s.tell:
                if not outermost(frame, code, e, t) and s.hot:
                    heat(key, s, False)
                return
        site = id(code) + (frame.f_lasti << SHIFT)   # key may differ from it by a cache
        s = SITES_SEEN.get(site)
        if s is None:
            if t in SKIP:
                return
            if quiet_file(code.co_filename):
                heat(key, None, True)
                return
            if len(SITES_SEEN) >= SITES:
                cool(monotonic_ns())
                SITES_SEEN.clear()
            s = SITES_SEEN[site] = Site(code)
        elif s.hot and TABLE is not None:
            now = monotonic_ns()   # the jump's code sends one of many
            if now - COOLED[0] > SAMPLE:
                cool(now)
            return
        if t in SKIP or not budget(s, key, frame, t):
            return
        if ImportError in type_mro(t) and ImportError.name.__get__(e) in ('sitecustomize', 'usercustomize'):
            return
        record(e, frame, inner, 3)
        x = LIVE.get(id(e))
        if x is None:
            return
        if inner is not None:
            x[3] = 0
    if inner is not None and inner.tb_frame is not frame:
        left(x, inner, frame, frame.f_lineno or 0)
    outermost(frame, code, e, t)
