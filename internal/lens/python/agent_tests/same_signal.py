# Signals that arrive anywhere, also inside the agent, are not lost: each round
# has one, and ends by its exception.
import random, signal, time
class Alarm(Exception):
    pass
def handler(n, f):
    raise Alarm
signal.signal(signal.SIGALRM, handler)
def work():
    try:
        {}['x']
    except KeyError:
        pass
def left():
    raise ValueError
lost = 0
random.seed(1)
for n in range(250):
    try:
        end = time.monotonic() + 5
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + random.random() * 0.002)
        while time.monotonic() < end:
            exec('def h():\n  x = 1\n  raise ValueError\ntry:\n  h()\nexcept ValueError: pass')
            work()
            try:
                left()
            except ValueError:
                pass
        lost += 1
        if lost > 3:
            break
    except Alarm:
        pass
print('lost', lost)
