# Runs tests of the interpreter's own test package and prints each result; the
# status is 77 where there is no such package.
import io, os, sys, unittest
try:
    import test.test_raise
except ImportError:
    sys.exit(77)
os.chdir(os.environ.get('TMPDIR', '/tmp'))
results = []


class Result(unittest.TestResult):
    def addSuccess(self, t):
        results.append(t.id() + ' ok')

    def addSkip(self, t, why):
        results.append(t.id() + ' skipped')

    def addFailure(self, t, err):
        results.append(t.id() + ' failed')

    addError = addExpectedFailure = addUnexpectedSuccess = addFailure


suite = unittest.defaultTestLoader.loadTestsFromNames('test.' + n for n in sys.argv[1:])
out, sys.stdout, sys.stderr = sys.stdout, io.StringIO(), io.StringIO()
suite.run(Result())
out.write('\n'.join(sorted(results)) + '\n')
