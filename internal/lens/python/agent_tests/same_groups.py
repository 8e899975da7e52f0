import sys
if sys.version_info >= (3, 11):
    exec('''
def f():
    e = ValueError('one')
    e.add_note('a note')
    raise ExceptionGroup('many', [e, TypeError('two')])
try:
    f()
except* ValueError as g:
    print(g.exceptions)
except* TypeError:
    print('type')
f()
''')
