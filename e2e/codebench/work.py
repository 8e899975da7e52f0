# One workload of codebench, named by the argument; prints its CPU time in
# seconds. "stand" and "write" are the programs of the rows that look from outside.
import os, sys, time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Shape:
    kind = 'shape'

    def __init__(self, n):
        self.n = n
        self.points = [n, n]

    @property
    def size(self):
        return self.n * self.scale

    scale = 2


class Square(Shape):
    def area(self):
        return self.size * self.n + len(self.points)


def attributes():
    s = Square(4)
    total = 0
    for i in range(150000):
        s.n = i & 7
        total += s.area() + s.scale + len(s.kind)
        getattr(s, 'missing', None)
    return total


def c():
    raise KeyError('x')


def b():
    c()


def a():
    b()


def storm():
    for i in range(30000):
        try:
            a()
        except KeyError:
            pass


def echo():
    async def serve(reader, writer):
        while True:
            data = await reader.read(100)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, '127.0.0.1', 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        for i in range(1500):
            writer.write(b'hello')
            await reader.readexactly(5)
        writer.close()
        await asyncio.sleep(0.01)
        server.close()

    asyncio.run(main())


def imports():
    import email.message, http.client, http.server, logging, ssl, sqlite3, urllib.request, unittest, xml.dom.minidom
    import asyncio, argparse, concurrent.futures, csv, ctypes, decimal, difflib, multiprocessing, pydoc, subprocess, tarfile, zipfile


def stand(n=8):
    if n > 1:
        return stand(n - 1)
    print('ready', flush=True)
    time.sleep(60)


def write():
    """Nanoseconds that writing 300 bytes takes, and that a record of as many
    takes; the ring's text is the agent's own."""
    data = b'x' * 300
    fd = os.open('/dev/null', os.O_WRONLY)
    ns = {'__name__': '<culprit>', 'RUN': sys.argv[2]}
    with open(sys.argv[3]) as f:
        text = f.read()
    exec(compile(text[:text.index('\n# names.py\n')], '<culprit>', 'exec'), ns)
    ns['STRINGS'] = {}
    ns['open_ring']()
    emit, head, record = ns['emit'], ns['HDR'], (1, 2, 3, (('v', 'str', 'x' * 220),), 0, 0)
    ns['tls'].tid = 1

    def least(f, n):
        best = 1 << 60
        for i in range(20):
            head[6] = head[3]
            t = time.perf_counter_ns()
            for i in range(n):
                f()
            best = min(best, (time.perf_counter_ns() - t) // n)
        return best
    print(least(lambda: os.write(fd, data), 200), least(lambda: emit(b'U', record), 1000))


work = {'calls': lambda: fib(25), 'attributes': attributes, 'echo': echo, 'import': imports, 'storm': storm,
        'stand': stand, 'write': write}[sys.argv[1]]
if sys.argv[1] == 'echo':
    import asyncio
start = time.process_time()
work()
if sys.argv[1] not in ('stand', 'write'):
    print(time.process_time() - start)
