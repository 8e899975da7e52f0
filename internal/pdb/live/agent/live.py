# culprit's live debugger: the standard library's pdb, with its prompt on the
# other end of a unix socket (package live has the protocol), breakpoints that
# cost nothing where they are not hit (3.12 and later), and breakpoints on what
# other lenses see. The loader (sitecustomize) runs this before the program.
import sys, os, marshal
from _thread import allocate_lock, get_ident, get_native_id

VERSION = sys.version_info[:2]
MODERN = VERSION >= (3, 12)          # has sys.monitoring
OWN = globals()
IGNORED = 'ignored'                  # says that a breakpoint was not one to stop at
KINDS = ('raise', 'syscall', 'open', 'http', 'dns')
ACROSS = """
        culprit's own, with tbreak too:
          b raise NAME [if EXPR]
          b syscall CALL|%CLASS [if COND]
          b open GLOB [if COND]
          b http COND
          b dns RCODE [if COND]

        Stop where an exception is raised that `except NAME` would catch, also
        if it is caught (EXPR is Python, exc the exception); where a system call
        has returned, of a name or class (%network, %file, %desc); where a file
        was opened whose path matches; where the head of a message of HTTP, over
        TLS too, or an answer of DNS (RCODE is NXDOMAIN, SERVFAIL, ...) has
        come. COND is of culprit's filter language, with these fields: errno,
        ret, fd, path; of http status, method, target, host; of dns name, type.
        """
HIGH_FD = 900                        # out of the way of the program's descriptors


class Lost(BaseException):
    """The other end is gone: the program goes on without a debugger."""


class Channel:
    """Frames of a type byte, a length (u32, little endian) and text."""

    def __init__(self, path):
        import _socket
        import fcntl
        s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        s.connect(path)
        try:
            fd = fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
            s.close()
            s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        except OSError:              # a low limit of descriptors
            pass
        self.sock, self.buf, self.flags = s, b'', _socket.MSG_NOSIGNAL
        self.inode = os.fstat(s.fileno()).st_ino

    def alive(self):
        try:
            return os.fstat(self.sock.fileno()).st_ino == self.inode
        except OSError:
            return False

    def close(self):
        if self.alive():
            self.sock.close()
        else:                        # the number is the program's now
            self.sock.detach()

    def send(self, kind, data=b''):
        if type(data) is str:
            data = data.encode('utf-8', 'backslashreplace')
        if not self.alive():
            raise Lost
        try:
            self.sock.sendall(kind + len(data).to_bytes(4, 'little') + data, self.flags)
        except OSError:
            raise Lost

    def fields(self, kind, *fields):
        self.send(kind, '\0'.join(str(f).replace('\0', '\\0') for f in fields))

    def receive(self):
        """One frame. A KeyboardInterrupt waits until it is here."""
        interrupted = None
        while len(self.buf) < 5 or len(self.buf) < 5 + int.from_bytes(self.buf[1:5], 'little'):
            try:
                data = self.sock.recv(65536)
            except KeyboardInterrupt as e:
                interrupted = e
                continue
            except OSError:
                raise Lost
            if not data:
                raise Lost
            self.buf += data
        n = 5 + int.from_bytes(self.buf[1:5], 'little')
        kind, data, self.buf = self.buf[:1], self.buf[5:n], self.buf[n:]
        if interrupted:
            raise KeyboardInterrupt
        return kind, data

    def call(self, kind, *fields):
        """Sends and waits for the answer, its fields."""
        self.fields(kind, *fields)
        return [f.decode('utf-8', 'surrogateescape') for f in self.receive()[1].split(b'\0')]


class Out:
    """What pdb takes for its standard output: whole lines are sent on, the rest
    waits to become a prompt."""
    encoding, errors = 'utf-8', 'backslashreplace'

    def __init__(self, channel):
        self.channel, self.text = channel, ''

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        lines, end, rest = self.text.rpartition('\n')
        if end:
            self.text = rest
            self.channel.send(b'O', lines + end)

    def rest(self):
        text, self.text = self.text, ''
        return text

    def drain(self):
        self.flush()
        if self.text:
            self.channel.send(b'O', self.rest())

    def isatty(self):
        return False


class In:
    """What pdb takes for its standard input."""
    encoding, errors = 'utf-8', 'surrogateescape'

    def __init__(self, channel, out, complete):
        self.channel, self.out, self.complete = channel, out, complete

    def readline(self, limit=-1):
        self.out.flush()
        self.channel.send(b'R', self.out.rest())
        while True:
            kind, data = self.channel.receive()
            text = data.decode('utf-8', 'surrogateescape')
            if kind == b'L':
                return text + '\n'
            if kind == b'T':
                at, _, line = text.partition('\0')
                self.channel.fields(b'T', *self.complete(line, int(at)))
            elif kind == b'K':
                raise KeyboardInterrupt
            else:
                return ''

    def isatty(self):
        return False

    def close(self):                 # site's exit() closes sys.stdin
        pass


def clean_environment(own):
    """Takes what brought the debugger in out of os.environ: children run without."""
    os.environ.pop('CULPRIT_DIR', None)
    path = os.environ.get('PYTHONPATH', '')
    if path == own:
        del os.environ['PYTHONPATH']
    elif path.startswith(own + ':'):
        os.environ['PYTHONPATH'] = path[len(own) + 1:]


def libraries():
    # pdb imports readline, which looks at the program's terminal.
    absent = object()
    had = sys.modules.get('readline', absent)
    sys.modules['readline'] = None
    try:
        import pdb, bdb, code, dis
        yield pdb, bdb, code, dis
    finally:
        if had is absent:
            del sys.modules['readline']
        else:
            sys.modules['readline'] = had


def define(pdb, bdb, code, dis):
    class Cross(bdb.Breakpoint):
        """A breakpoint on no line. It stands in bdb's tables under a file name
        that no file has, so that pdb's commands take it for one of theirs."""
        funcname = None

        def __init__(self, kind, spec, temporary, cond):
            bdb.Breakpoint.__init__(self, '<%s>' % kind, spec, temporary, cond)
            self.kind, self.spec = kind, spec

        def bpformat(self):
            text = '%-4d%-13s%s%s%s' % (self.number, self.kind, 'del  ' if self.temporary else 'keep ',
                                        'yes  ' if self.enabled else 'no   ', self.spec)
            if self.cond:
                text += '\n\tstop only if %s' % (self.cond,)
            if self.ignore:
                text += '\n\tignore next %d hits' % (self.ignore,)
            if self.hits:
                text += '\n\tbreakpoint already hit %d time%s' % (self.hits, 's' if self.hits > 1 else '')
            return text

        def __str__(self):
            return 'breakpoint %s at %s %s' % (self.number, self.kind, self.spec)

        def passed(self):
            """Counts a hit, and reports whether it is ignored."""
            self.hits += 1
            if self.ignore > 0:
                self.ignore -= 1
                return True
            return False

        def names(self, kind):
            """Says whether `except NAME` would catch an exception of this class."""
            for c in kind.__mro__:
                if self.spec == c.__qualname__ or self.spec == '%s.%s' % (c.__module__, c.__qualname__):
                    return True
            return False

    def crossing(kinds=KINDS):
        return [b for b in bdb.Breakpoint.bpbynumber if b and type(b) is Cross and b.kind in kinds]

    class Nowhere:
        """Stands for the frame that called the main program, which has none."""
        class f_code:
            co_flags = 0

    class Live(pdb.Pdb):
        def __init__(self, channel, commands, state):
            self.channel = channel
            self.out = Out(channel)
            self.lock = allocate_lock()
            self.holder = 0          # the thread at the prompt
            self.thread = 0          # the one that steps
            self.going = self.dead = False
            self.moment = None       # call and exchange of HTTP that this stop is at
            self.told = []           # the crossing breakpoints as the other end knows them
            self.entry = self.across # called by its address
            self._user_requested_quit = False
            self.quitting = self.raises = False
            self.watched, self.kept = {}, []   # lines to look at, by code (not MODERN)
            pdb.Pdb.__init__(self, stdin=In(channel, self.out, self.completions), stdout=self.out, readrc=state is None)
            self.use_rawinput = 0
            self.rcLines.extend(commands)
            self.monitor = Monitor(self, pdb, bdb) if MODERN else None
            self.reset()
            if state is not None:
                self.restore(marshal.loads(state))

        # ---- the way in and out ----

        def wait_for_main(self, frame, event, arg):
            """The trace function until the program's own code begins."""
            if event == 'call' and frame.f_code.co_name == '<module>' and frame.f_globals.get('__name__') == '__main__':
                self.botframe = self.enterframe = frame
                self.mainpyfile = self.canonic(frame.f_code.co_filename)
                self._wait_for_mainpyfile = True
                self.thread = get_ident()
                self.set_step()
                sys.settrace(self.trace_dispatch)
                return self.trace_dispatch

        def audit(self, event, args):
            """Comes before an uncaught exception is printed, whatever sys.excepthook is."""
            if event != 'sys.excepthook' or self.dead or get_native_id() != os.getpid():
                return
            hook, kind, value, tb = args
            if self.quitting:
                raise RuntimeError   # keeps Python from calling the hook
            if tb is None or hook is None:
                return
            hook(kind, value, tb)
            try:
                sys.stderr.flush()
            except Exception:
                pass
            self.message('Uncaught exception. Entering post mortem debugging')
            self.message("Running 'cont' or 'step' will end the program")
            self.stopped(None, lambda: self.interaction(None, value if VERSION >= (3, 13) else tb))
            raise RuntimeError

        def breakpointhook(self, *args, **kws):
            frame = sys._getframe(1)
            if VERSION >= (3, 13):
                self.stopped(frame, lambda: pdb.Pdb.user_line(self, frame))
            else:
                self.set_step()
                self.thread = get_ident()
                self.trace(frame)
            if self.quitting:
                raise bdb.BdbQuit

        def sigint_handler(self, signum, frame):
            if self.allow_kbdint:
                raise KeyboardInterrupt
            self.message("\nProgram interrupted. (Use 'cont' to resume).")
            self.set_step()
            self.thread = get_ident()
            self.trace(frame)

        def detach(self):
            self.dead, self.quitting = True, False
            self.clear_all_breaks()
            self.set_continue()
            self.untrace(sys._getframe())
            if self.monitor:
                self.monitor.off()
            if sys.breakpointhook == self.breakpointhook:
                sys.breakpointhook = sys.__breakpointhook__
            self.channel.close()

        # ---- stops ----

        def stopped(self, frame, show):
            """Has the prompt to itself while show asks for commands."""
            me = get_ident()
            if self.dead or self.holder == me:
                return
            with self.lock:
                self.holder = me
                try:
                    self.channel.call(b'I', get_native_id())
                    before, self.thread, self.enterframe = self.thread, me, frame
                    if show() is IGNORED:
                        self.thread = before
                    if self.quitting:
                        self.channel.fields(b'Q', get_native_id())
                    self.tell()
                    self.out.drain()
                    self.channel.call(b'J')
                except Lost:
                    self.detach()
                finally:
                    self.moment = None
                    self.holder = 0
                    if frame is None or self.quitting or self.dead:
                        self.untrace(frame)
                    elif self.going and (MODERN or not (self.breaks or crossing(['raise']))):
                        self.untrace(frame)
                    else:
                        self.trace(frame)

        def trace(self, frame):
            """Makes this thread report its steps, in all its frames."""
            while frame is not None:
                frame.f_trace = self.trace_dispatch
                frame.f_trace_lines = True
                if frame is self.botframe:
                    break
                frame = frame.f_back
            sys.settrace(self.trace_dispatch)

        def untrace(self, frame):
            sys.settrace(None)
            while frame is not None:
                frame.f_trace = None
                if frame is self.botframe:
                    break
                frame = frame.f_back

        def across(self):
            """Called by a thread that the other end holds in a system call."""
            sys.settrace(None)
            frame = sys._getframe(1) if sys._getframe().f_back else None
            if self.dead or frame is None or self.holder == get_ident():
                return
            try:
                self.stopped(frame, lambda: self.answer_across(frame))
            except BaseException:    # it has nobody to go to
                pass
            if self.quitting:
                while frame is not None:
                    frame.f_trace = self.leave
                    frame = frame.f_back
                sys.settrace(self.leave)

        def leave(self, frame, event, arg):
            raise bdb.BdbQuit

        def answer_across(self, frame):
            number, say, call, exchange = self.channel.call(b'W', get_native_id())
            try:
                bp = self.get_bpbynumber(number)
            except ValueError:       # cleared meanwhile
                return IGNORED
            if not bp.enabled or bp.passed():
                return IGNORED
            self.moment = call, exchange
            self.at(bp, frame, say)

        def user_line(self, frame):
            if self._wait_for_mainpyfile and (self.mainpyfile != self.canonic(frame.f_code.co_filename)
                                              or frame.f_lineno <= 0):
                return
            again = self.monitor and self.monitor.comes(frame)
            self.stopped(frame, lambda: pdb.Pdb.user_line(self, frame))
            if again and self.going:
                self.monitor.skip = (get_ident(), id(frame), frame.f_lasti)

        user_opcode = user_line

        def user_call(self, frame, argument_list):
            if not self._wait_for_mainpyfile and self.stop_here(frame):
                self.stopped(frame, lambda: pdb.Pdb.user_call(self, frame, argument_list))

        def user_return(self, frame, return_value):
            self.stopped(frame, lambda: pdb.Pdb.user_return(self, frame, return_value))

        def user_exception(self, frame, exc_info):
            if self.monitor:
                self.monitor.shown = id(exc_info[1])
            self.stopped(frame, lambda: pdb.Pdb.user_exception(self, frame, exc_info))

        def break_at(self, bp, frame, say, tb=None):
            """Stops at a crossing breakpoint."""
            self.stopped(frame, lambda: self.at(bp, frame, say, tb))

        def at(self, bp, frame, say, tb=None):
            self.currentbp = bp.number
            if bp.temporary:
                self.do_clear(str(bp.number))
            if not getattr(self, 'commands_silent', {}).get(bp.number):
                self.message(say)
            if self.bp_commands(frame) or VERSION >= (3, 14):
                self.interaction(frame, tb)

        def raised(self, frame, exc):
            """Looks for a breakpoint on an exception that comes up in frame."""
            tb = exc.__traceback__
            if self.dead or self.holder == get_ident() or tb is None or tb.tb_next is not None:
                return
            if frame.f_code.co_filename.startswith('<frozen importlib'):
                return               # they are how import looks about
            for bp in crossing(['raise']):
                if not bp.enabled or not bp.names(type(exc)):
                    continue
                if bp.cond:
                    try:
                        if not eval(bp.cond, frame.f_globals, dict(frame.f_locals, exc=exc)):
                            continue
                    except Exception:
                        pass         # as bdb does: stop where in doubt
                if bp.passed():
                    continue
                if VERSION >= (3, 12):
                    self.set_convenience_variable(frame, '_exception', exc)
                self.break_at(bp, frame, format_exception(exc), tb)
                if self.quitting:
                    raise bdb.BdbQuit
                return

        # ---- bdb's view of steps ----

        def _set_stopinfo(self, *args, **kws):
            self.going = False
            pdb.Pdb._set_stopinfo(self, *args, **kws)

        def set_continue(self):
            self._set_stopinfo(self.botframe, None, -1)
            self.going = True

        def dispatch_return(self, frame, arg):
            traced = pdb.Pdb.dispatch_return(self, frame, arg)
            if frame is self.botframe:   # what comes now is the interpreter's end
                self.set_continue()
                if MODERN or not self.breaks:
                    sys.settrace(None)
            return traced

        def set_return(self, frame):
            pdb.Pdb.set_return(self, frame)
            if self.stopframe is None:
                self.stopframe = Nowhere

        def stop_here(self, frame):
            if frame.f_globals is OWN:
                return False
            if get_ident() != self.thread:
                if MODERN:
                    sys.settrace(None)
                return False
            return pdb.Pdb.stop_here(self, frame)

        if VERSION < (3, 10):
            # A frame with f_trace has its line number from the trace function: it
            # must not stay when tracing ends.
            def dispatch_line(self, frame):
                traced = pdb.Pdb.dispatch_line(self, frame)
                return traced if sys.gettrace() else None

        if not MODERN:
            def trace_dispatch(self, frame, event, arg):
                """Lets alone what has no breakpoint in it while nobody steps."""
                if self.going:
                    lines = self.watched.get(id(frame.f_code))
                    if lines is None:
                        lines = self.watch(frame.f_code)
                    if event == 'call':
                        if self.raises:
                            frame.f_trace_lines = bool(lines)
                        return self.trace_dispatch if lines or self.raises else None
                    if event == 'line' and frame.f_lineno not in lines:
                        return self.trace_dispatch
                return pdb.Pdb.trace_dispatch(self, frame, event, arg)

            def watch(self, code):
                """The lines of code at which bdb has to look for a breakpoint."""
                points = self.breaks.get(self.canonic(code.co_filename), ())
                if not points:
                    lines = ()
                elif code.co_firstlineno in points:
                    lines = frozenset(n for _, n in dis.findlinestarts(code))
                else:
                    lines = frozenset(n for _, n in dis.findlinestarts(code) if n in points)
                if len(self.kept) > 50000:
                    self.kept.clear()
                    self.watched.clear()
                self.kept.append(code)   # so that the number stays its own
                self.watched[id(code)] = lines
                return lines

            def dispatch_exception(self, frame, arg):
                traced = pdb.Pdb.dispatch_exception(self, frame, arg)
                if not self.stop_here(frame) and isinstance(arg[1], BaseException):
                    self.raised(frame, arg[1].with_traceback(arg[2]))
                return traced

        # ---- breakpoints ----

        def do_break(self, arg, temporary=0):
            kind, _, rest = arg.partition(' ')
            if kind in KINDS and rest.strip():
                self.break_across(kind, rest.strip(), temporary)
            elif not arg and not self.breaks:
                if crossing():
                    self.message('Num Type         Disp Enb   Where')
                    for bp in crossing():
                        self.message(bp.bpformat())
            else:
                pdb.Pdb.do_break(self, arg, temporary)
                self.rearm()
        do_b = do_break

        def break_across(self, kind, spec, temporary):
            cond = None
            if kind != 'http':
                spec, given, cond = spec.partition(' if ')
                spec, cond = spec.strip(), cond.strip() if given else None
            error = self.invalid(kind, spec, cond)
            if error:
                self.error(error)
                return
            bp = Cross(kind, spec, temporary, cond)
            self.message('Breakpoint %d at %s %s' % (bp.number, kind, spec))
            self.rearm()

        def invalid(self, kind, spec, cond):
            """What is wrong with a breakpoint, '' if nothing."""
            if kind != 'raise':
                return self.channel.call(b'V', kind, spec, cond or '')[0]
            if not all(part.isidentifier() for part in spec.split('.')):
                return '%r is no name of an exception' % spec
            if cond:
                try:
                    compile(cond, '<stdin>', 'eval')
                except SyntaxError as e:
                    return 'Invalid condition %s: %s' % (cond, format_exception(e))
            return ''

        def do_condition(self, arg):
            number, _, cond = arg.partition(' ')
            cond = cond.strip()
            try:
                bp = self.get_bpbynumber(number)
            except ValueError:
                bp = None
            if cond and type(bp) is Cross:
                error = self.invalid(bp.kind, bp.spec, cond)
                if error:
                    self.error(error)
                    return
                bp.cond = cond
                self.message('New condition set for breakpoint %d.' % bp.number)
            else:
                pdb.Pdb.do_condition(self, arg)

        def do_clear(self, arg):
            if arg:
                pdb.Pdb.do_clear(self, arg)
            else:
                self.stdout.write('Clear all breaks? ')
                if self.stdin.readline().strip().lower() in ('y', 'yes'):
                    gone = [bp for bp in bdb.Breakpoint.bpbynumber if bp]
                    self.clear_all_breaks()
                    for bp in gone:
                        self.message('Deleted %s' % bp)
            self.rearm()
        do_cl = do_clear

        def clear_bpbynumber(self, arg):
            bp = self.get_bpbynumber(arg)
            if type(bp) is not Cross:
                return pdb.Pdb.clear_bpbynumber(self, arg)
            bp.deleteMe()

        def clear_all_breaks(self):
            for bp in bdb.Breakpoint.bpbynumber:
                if bp:
                    bp.deleteMe()
            self.breaks = {}

        def rearm(self):
            self.watched, self.kept, self.raises = {}, [], bool(crossing(['raise']))
            if self.monitor:
                self.monitor.arm(self.raises)
            elif self.breaks or self.raises:
                import threading
                threading.settrace(self.trace_dispatch)

        def tell(self):
            """Tells Go of the breakpoints that it watches for."""
            now = [(b.number, b.kind, b.spec, b.cond or '') for b in crossing(KINDS[1:]) if b.enabled]
            if now != self.told:
                self.told = now
                error = self.channel.call(b'B', id(self.entry), *[f for b in now for f in b])[0]
                if error:
                    self.error('Breakpoints %s do not work: %s' % (', '.join(str(b[0]) for b in now), error))

        # ---- commands that would use the program's input, output or end ----

        def do_interact(self, arg):
            prompt = self

            class Console(code.InteractiveConsole):
                def raw_input(self, text=''):
                    prompt.stdout.write(text)
                    line = prompt.stdin.readline()
                    if not line:
                        raise EOFError
                    return line.rstrip('\n')

                def write(self, data):
                    prompt.stdout.write(data)

            had = hasattr(sys, 'ps1'), hasattr(sys, 'ps2')
            saved = sys.stdin, sys.stdout, sys.displayhook
            sys.stdin, sys.stdout, sys.displayhook = self.stdin, self.stdout, self.displayhook
            ns = dict(self.curframe.f_globals, **self.curframe_locals)
            try:
                if VERSION >= (3, 13):
                    Console(ns, local_exit=True).interact('*pdb interact start*', '*exit from pdb interact command*')
                else:
                    Console(ns).interact('*interactive*')
            except SystemExit:
                pass
            finally:
                sys.stdin, sys.stdout, sys.displayhook = saved
                for name, there in zip(('ps1', 'ps2'), had):
                    if not there and hasattr(sys, name):
                        delattr(sys, name)

        def do_syscall(self, arg):
            self.show_moment(0, 'The program was not stopped at a system call')

        def do_http(self, arg):
            self.show_moment(1, 'The program was not stopped at a message of HTTP')

        def show_moment(self, which, none):
            if self.moment and self.moment[which]:
                self.message(self.moment[which])
            else:
                self.error(none)

        def help_pdb(self):
            self.message(pdb.__doc__ or '')

        def do_run(self, arg):
            args = sys.argv[1:]
            if arg:
                import shlex
                try:
                    args = shlex.split(arg)
                except ValueError as e:
                    self.error('Cannot run %s: %s' % (arg, e))
                    return
            self.channel.send(b'S', marshal.dumps(self.state()))
            error = self.channel.call(b'X', len(sys.argv) - 1, *sys.argv[1:] + (args if arg else []))[0] if arg else \
                self.channel.call(b'X')[0]
            if error:
                self.error('Cannot run %s: %s' % (arg, error))
                return
            self.message('Restarting %s with arguments:' % self.mainpyfile)
            self.message('\t' + ' '.join(args))
            return self.do_quit('')
        do_restart = do_run

        def state(self):
            """What outlives a restart, of marshal's types."""
            points = []
            for b in bdb.Breakpoint.bpbynumber[1:]:
                points.append(b and (type(b) is Cross and b.kind, b.spec if type(b) is Cross else b.line, b.file, b.temporary,
                                     b.cond, b.funcname, b.enabled, b.ignore, b.hits))
            return points, self.commands, getattr(self, 'commands_doprompt', {}), getattr(self, 'commands_silent', {}), self.aliases

        def restore(self, state):
            points, self.commands, self.commands_doprompt, self.commands_silent, self.aliases = state
            for p in points:
                if p is None:        # keeps the numbers
                    bdb.Breakpoint.bpbynumber.append(None)
                    bdb.Breakpoint.next += 1
                    continue
                kind, line, file, temporary, cond, funcname, enabled, ignore, hits = p
                if kind:
                    b = Cross(kind, line, temporary, cond)
                else:
                    b = bdb.Breakpoint(file, line, temporary, cond, funcname)
                    lines = self.breaks.setdefault(file, [])
                    if line not in lines:
                        lines.append(line)
                b.enabled, b.ignore, b.hits = enabled, ignore, hits
            self.rearm()

        def completions(self, line, at):
            """What could stand at the end of line[:at]: the whole words."""
            begin = at
            while begin and line[begin - 1] not in ' \t\n`@#%^&*()=+[{]}\\|;:\'",<>?':
                begin -= 1
            text = line[begin:at]
            try:
                find = self.completenames
                if line[:begin].strip():
                    name = self.parseline(line)[0]
                    find = getattr(self, 'complete_%s' % name, None) or self._complete_expression
                return sorted(set(str(w) for w in find(text, line, begin, at)))[:200]
            except Exception:
                return []

    for name, command in vars(Live).items():
        if name[:3] == 'do_' and hasattr(pdb.Pdb, name):
            command.__doc__ = getattr(pdb.Pdb, name).__doc__
    # Docstrings are not in compiled agents.
    Live.do_syscall.__doc__ = """syscall

        Print the system call that the program was stopped at.
        """
    Live.do_http.__doc__ = """http

        Print the heads of the request and the answer that the program was
        stopped at.
        """
    if Live.do_break.__doc__:
        Live.do_break.__doc__ += ACROSS

    def format_exception(exc):
        import traceback
        return traceback.format_exception_only(type(exc), exc)[-1].strip()

    return Live


class Monitor:
    """Breakpoints by sys.monitoring: code without one runs at full speed. While a
    thread steps, bdb's trace function looks after its breakpoints."""

    def __init__(self, live, pdb, bdb):
        m = sys.monitoring
        self.live, self.pdb, self.bdb, self.m, self.tool = live, pdb, bdb, m, None
        self.local = {}              # code objects with LINE events, by id
        self.disabled = set()        # (id of code, instruction) that reports no more
        self.skip = None             # the line event that tells of a stop that was made already
        self.shown = None            # the exception, likewise
        for tool in (m.DEBUGGER_ID, 4, 3):
            if m.get_tool(tool) is None:
                m.use_tool_id(tool, 'culprit')
                self.tool = tool
                break
        else:
            return
        m.register_callback(self.tool, m.events.PY_START, self.on_start)
        m.register_callback(self.tool, m.events.PY_RESUME, self.on_start)
        m.register_callback(self.tool, m.events.LINE, self.on_line)
        m.register_callback(self.tool, m.events.RAISE, self.on_raise)

    def off(self):
        if self.tool is not None:
            self.m.set_events(self.tool, 0)
            for code in self.local.values():
                self.m.set_local_events(self.tool, code, 0)
            self.m.free_tool_id(self.tool)
            self.tool = None

    def arm(self, raises):
        if self.tool is None:
            return
        e = self.m.events
        self.m.set_events(self.tool, (e.PY_START | e.PY_RESUME if self.live.breaks else 0) | (e.RAISE if raises else 0))
        self.disabled.clear()
        self.m.restart_events()
        for frame in sys._current_frames().values():
            while frame is not None:
                self.watch(frame.f_code)
                frame = frame.f_back

    def watch(self, code):
        """Has the lines of code reported if one of them has a breakpoint."""
        lines = self.live.breaks.get(self.live.canonic(code.co_filename))
        if lines and id(code) not in self.local:
            if code.co_firstlineno in lines or not set(lines).isdisjoint(line for _, _, line in code.co_lines()):
                self.local[id(code)] = code
                self.m.set_local_events(self.tool, code, self.m.events.LINE)

    def comes(self, frame):
        """Says whether LINE is yet to be reported of the instruction that frame is at."""
        return id(frame.f_code) in self.local and (id(frame.f_code), frame.f_lasti) not in self.disabled

    def on_start(self, code, offset):
        self.watch(code)
        return self.m.DISABLE

    def on_line(self, code, line):
        live = self.live
        frame = sys._getframe(1)
        skip, me = self.skip, get_ident()
        if skip and skip[0] == me:
            self.skip = None
            if skip[1:] == (id(frame), frame.f_lasti):
                return
        if not self.wanted(code, line):
            self.disabled.add((id(code), frame.f_lasti))
            return self.m.DISABLE
        if live.dead or live.holder == me or live.thread == me and not live.going:
            return
        if live.break_here(frame):
            live.stopped(frame, lambda: self.pdb.Pdb.user_line(live, frame))
            if live.quitting:
                raise self.bdb.BdbQuit

    def wanted(self, code, line):
        """Says whether bdb has to look at a line."""
        file = self.live.canonic(code.co_filename)
        lines = self.live.breaks.get(file, ())
        if line in lines:
            return True
        first = code.co_firstlineno
        if first not in lines:
            return False
        # A function's breakpoint on its def line stops at the first line executed.
        for b in self.bdb.Breakpoint.bplist.get((file, first), ()):
            if b.funcname == code.co_name and b.func_first_executable_line in (None, line):
                return True
        return False

    def on_raise(self, code, offset, exc):
        shown, self.shown = self.shown, None
        if shown != id(exc):
            self.live.raised(sys._getframe(1), exc)


def start():
    own = RUN + '/python'
    channel = Channel(RUN + '/debug')
    try:
        channel.fields(b'H', os.getpid(), '%d.%d.%d' % sys.version_info[:3], sys.executable)
        state = None
        while True:
            kind, data = channel.receive()
            if kind == b'S':
                state = data
            else:
                break
        if kind != b'A':
            channel.close()
            return
        clean_environment(own)
        for modules in libraries():
            live = define(*modules)(channel, [c for c in data.decode().split('\0') if c], state)
    except Lost:
        return
    except BaseException as e:
        channel.fields(b'E', '%s: %s' % (type(e).__name__, e))
        raise
    if not os.environ.get('PYTHONBREAKPOINT'):
        sys.breakpointhook = live.breakpointhook
    os.register_at_fork(after_in_child=live.detach)
    sys.addaudithook(live.audit)
    sys.settrace(live.wait_for_main)


start()
