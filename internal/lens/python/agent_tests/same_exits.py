# Ends in the way that the argument says.
import os, sys, signal
how = sys.argv[1]
print(how, flush=True)
try:
    {}['before']
except KeyError:
    pass
if how == 'exit3':
    sys.exit(3)
if how == 'exittext':
    sys.exit('last words')
if how == '_exit':
    os._exit(4)
if how == 'kill':
    os.kill(os.getpid(), signal.SIGKILL)
if how == 'abort':
    os.abort()
if how == 'segv':
    os.kill(os.getpid(), signal.SIGSEGV)
if how == 'interrupt':
    os.kill(os.getpid(), signal.SIGINT)
if how == 'caughtexit':
    try:
        sys.exit(5)
    except SystemExit:
        pass
if how == 'finallyexit':
    try:
        sys.exit(6)
    finally:
        print('finally')
