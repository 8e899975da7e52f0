import sys
def a(x):
    return 1 / x
def b():
    try:
        a(0)
    except ZeroDivisionError as e:
        raise RuntimeError('outer') from e
b()
