# A tool of the program's own that traces, as coverage and pdb do.
import sys
seen = set()
def tracer(frame, event, arg):
    if frame.f_code.co_filename != __file__ and 'same_trace' not in frame.f_code.co_filename:
        seen.add((frame.f_code.co_filename, event))
    else:
        lines.append((event, frame.f_lineno))
    return tracer
lines = []
def f():
    try:
        {}['x']
    except KeyError:
        pass
    try:
        g()
    except ValueError as e:
        return str(e)
def g():
    return int('y')
sys.settrace(tracer)
f()
sys.settrace(None)
print(seen, lines)
calls = []
sys.setprofile(lambda fr, ev, arg: calls.append((ev, fr.f_code.co_name)))
f()
sys.setprofile(None)
print(calls)
if hasattr(sys, 'monitoring'):
    m = sys.monitoring
    m.use_tool_id(1, 'coverage')
    got = []
    m.register_callback(1, m.events.RAISE, lambda c, o, e: got.append((c.co_name, type(e).__name__)))
    m.set_events(1, m.events.RAISE)
    f()
    m.set_events(1, 0)
    print(got)
