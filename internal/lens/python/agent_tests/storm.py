# A storm of exceptions, and right after it the one that matters, which comes
# in the way that the argument says.
import sys
def bad(d):
    return d['k']
def storm():
    for i in range(5000):
        try:
            bad({})
        except KeyError:
            pass
def fails():
    path = '/the/end'
    raise OSError(2, 'No such file or directory', path)
def quiet():
    storm()
    try:
        fails()
    except OSError:
        pass
def leave():
    for i in range(5000):
        try:
            bad({})
        except KeyError:
            pass
    sys.exit(3)
def uncaught():
    storm()
    last = 1
    bad({'z': 1})
def thread():
    import threading
    t = threading.Thread(target=uncaught)
    t.start()
    t.join()
def wrapped():
    for i in range(5000):
        try:
            bad({})
        except KeyError as e:
            if i == 4999:
                raise ValueError('wrapped') from e
def logged():
    import logging
    for i in range(5000):
        try:
            bad({})
        except KeyError as e:
            if i == 4999:
                logging.exception('gone')
{f.__name__: f for f in (quiet, leave, uncaught, thread, wrapped, logged)}[sys.argv[1]]()
