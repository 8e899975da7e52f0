# Hides the cause as asciinema does.
import sys
import urllib.error


class HTTPConnectionError(Exception):
    pass


class APIError(Exception):
    pass


class Odd:
    def __init__(self):
        self.size = 3
        self.token = 'abc'

    def __repr__(self):
        print('repr was called')
        return 'odd'

    __str__ = __repr__

    @property
    def boom(self):
        print('property was called')


def send(data):
    password = 'hunter2'
    headers = {'Authorization': 'Basic eHl6', 'n': 1}
    odd = Odd()
    raise BrokenPipeError(32, 'Broken pipe')


def do_open():
    try:
        send(b'x' * 1000)
    except OSError as err:
        raise urllib.error.URLError(err)


def post():
    try:
        do_open()
    except urllib.error.URLError as e:
        raise HTTPConnectionError(str(e)) from e


def upload():
    try:
        post()
    except HTTPConnectionError as e:
        raise APIError(str(e)) from None


def execute():
    try:
        upload()
    except APIError as e:
        sys.stderr.write('upload failed: %s\n' % e)
        return 1


sys.exit(execute())
