import threading, _thread, sys
def work(n):
    for i in range(200):
        try:
            int('x%d' % i)
        except ValueError as e:
            last = e
    if n == 2:
        raise LookupError('thread two')
    if n == 3:
        sys.exit(7)
ts = []
for n in range(5):
    t = threading.Thread(target=work, args=(n,), name='worker-%d' % n)
    t.start(); t.join()
print(threading.active_count(), len(threading.enumerate()))
