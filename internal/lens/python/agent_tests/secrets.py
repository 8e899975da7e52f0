# Credentials wherever a frame or an exception can hold one. They are made here, so
# that the source has none.
import subprocess, sys
S = 'hunter' + str(2) * 20
TOKEN = 'ghp_' + S
AWS = 'AKIA' + S.upper()
JWT = '.'.join(('eyJhbGciOi' + S, 'eyJzdWIiOi' + S, S))
PEM = '-----BEGIN ' + 'PRIVATE KEY-----\n' + S
class Held:
    def __init__(self):
        self.password = self.api_key = S
        self.pin_token = int('7' * 12)
class Refused(Exception):
    pass
def login(password, *args, api_key=None, **kwargs):
    cookie, session_id, client_secret = S, S.encode(), [S]
    headers = {'Authorization': 'Bearer ' + S, b'Cookie': S}
    pairs = [(b'authorization', S.encode())]
    pair = ('X-Api-Key', S)
    held = Held()
    line = 'Authorization: Bearer ' + S
    other = 'X-Api-Key: ' + S
    body = '{"user": "x", "password": "%s"}' % S
    xml = '<password>%s</password>' % S
    command = 'curl --token ' + S
    url = 'see https://h/ and postgres://user:%s@db/x' % S
    query = 'https://h/x?access_token=%s&page=2' % S
    longer = '\u0130 PASSWORD=' + S
    host = 'https://basic ' + S
    cut = 'x' * 130 + ' https://user:' + S + '@h/'
    raw = b'GET / HTTP/1.1\r\nAuthorization: Basic ' + S.encode()
    a, b, c, d = TOKEN, AWS, JWT, PEM
    e = Refused('password=' + S)
    e.token = e.note = line
    e.secret_number = int('7' * 12)
    raise e
for f in (lambda: login(S, TOKEN, api_key=S, passwd=S), lambda: {}[JWT], lambda: open('/proc/no-such/https://u:%s@h' % S),
          lambda: subprocess.run([sys.executable, '-c', '{}["x"]', '--password', S])):
    try:
        f()
    except (Refused, LookupError, OSError):
        pass
