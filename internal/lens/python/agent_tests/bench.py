# One workload of the overhead benchmark; prints its CPU time in seconds.
import json, sys, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def c():
    raise KeyError('x')
def b():
    c()
def a():
    b()
def exc(n):
    for i in range(n):
        try:
            a()
        except KeyError:
            pass
def mixed():
    doc = {'a': list(range(50)), 'b': {'c': 'text' * 10}}
    for i in range(6000):
        d = json.loads(json.dumps(doc))
        if i % 100 == 0:
            try:
                d['missing']
            except KeyError:
                pass
def imports():
    import email.message, http.client, http.server, logging, ssl, sqlite3, urllib.request, unittest, xml.dom.minidom
    import asyncio, argparse, concurrent.futures, csv, ctypes, decimal, difflib, multiprocessing, pydoc, subprocess, tarfile, zipfile
t = time.process_time()
{'calls': lambda: fib(25), 'exc': lambda: exc(60000), 'mixed': mixed, 'import': imports, 'empty': lambda: None}[sys.argv[1]]()
print(time.process_time() - t)
