# sys.settrace: 3.8 to 3.11 where the hook can't be placed.


def on_call(frame, event, arg):
    frame.f_trace_lines = False
    return on_event


def on_event(frame, event, arg):
    if event == 'exception' and not getattr(tls, 'busy', False):
        tls.busy = True
        try:
            t, e, tb = arg
            if BaseException not in type_mro(type(e)) or type(e) in SKIP:
                return on_event
            if t is RecursionError:
                entry = tb
                for n in DEEP:
                    if entry is None:
                        return on_event
                    entry = entry.tb_next
            key = id(frame.f_code) + (frame.f_lasti << SHIFT)
            h = HOT.get(key)
            if h is not None and id(e) not in LIVE and (tb is None or tb.tb_next is None) is h[1]:
                h[0] += 1
                if not h[0] & LOOK - 1:
                    cool(monotonic_ns())
                return on_event
            reached(frame, key, e, tb.tb_next if tb is not None and tb.tb_frame is frame else tb)
        except BaseException as f:
            if type(f) is not RecursionError and not fault('trace', f):
                raise
        finally:
            tls.busy = False
    return on_event


def trace():
    if sys.gettrace() is not None:
        return None
    sys.settrace(on_call)
    STATE['trace'] = True
    return 'trace'
