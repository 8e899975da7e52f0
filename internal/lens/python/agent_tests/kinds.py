import json, subprocess, sys
def quiet(f):
    try:
        f()
    except Exception:
        pass
quiet(lambda: __import__('no_such_module'))
quiet(lambda: {}[('k', 1)])
quiet(lambda: b'ab\xff\xfe'.decode())
quiet(lambda: compile('x = (', 'bad.py', 'exec'))
quiet(lambda: json.loads('{"a": }'))
quiet(lambda: subprocess.run(['false', 'x'], check=True))
quiet(lambda: open('/proc/no-such/file'))
quiet(lambda: open('/tmp/\udcff/\ud800'))
quiet(lambda: int('7' * 5000) + 'x')
import urllib.error, urllib.request
def http():
    raise urllib.error.HTTPError('https://u:pw@host/x?token=abc', 413, 'Too Large', {}, None)
quiet(http)
def creds():
    raise ValueError('Authorization: Bearer abcdef0123')
quiet(creds)
import socket
def sock():
    s = socket.socket()
    session_id = 'deadbeef'
    raise TimeoutError('timed out')
quiet(sock)
