# Many exceptions in few places: the budget holds.
def bad(d):
    return d['k']
for i in range(5000):
    try:
        bad({})
    except KeyError:
        pass
for i in range(100):
    it = iter(())
    try:
        next(it)
    except StopIteration:
        pass
def last():
    raise OSError(2, 'No such file or directory', '/the/end')
try:
    last()
except OSError:
    pass
import json, urllib.request, email, xml.dom.minidom, sqlite3
