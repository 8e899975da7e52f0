import os, sys, subprocess, multiprocessing
def child(n):
    try:
        {}[n]
    except KeyError:
        pass
    print('child', n, flush=True)
    return n * 2
if __name__ == '__main__':
    pid = os.fork()
    if pid == 0:
        try:
            raise ValueError('in the fork')
        except ValueError:
            pass
        os._exit(9)
    print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), flush=True)
    with multiprocessing.get_context('spawn').Pool(1) as p:
        print(p.map(child, ['a']), flush=True)
    p = multiprocessing.get_context('fork').Process(target=child, args=('b',))
    p.start(); p.join()
    print(subprocess.run([sys.executable, '-c', 'import sys; sys.exit(open("/proc/no-such/sub"))'], stderr=subprocess.DEVNULL).returncode)
    print(subprocess.run([sys.executable, '-I', '-c', 'print(1)'], preexec_fn=lambda: None).returncode)
