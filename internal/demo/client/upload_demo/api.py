import json
import platform

from . import __version__
from .urllib_http_adapter import HTTPConnectionError, URLLibHttpAdapter


class APIError(Exception):
    pass


class Api:
    def __init__(self, url, user, http_adapter=None):
        self.url = url
        self.user = user
        self.http_adapter = http_adapter or URLLibHttpAdapter()

    def upload_recording(self, path):
        with open(path, "rb") as f:
            data = f.read()
        try:
            status, headers, body = self.http_adapter.post(
                self.url + "/api/asciicasts",
                {"asciicast": ("ascii.cast", data)},
                {"User-Agent": self.user_agent(), "Accept": "application/json"},
            )
        except HTTPConnectionError as e:
            raise APIError(str(e))
        if status not in (200, 201):
            raise APIError(self.explain(status))
        return json.loads(body)

    @staticmethod
    def user_agent():
        return "upload-demo/%s Python/%s" % (__version__, platform.python_version())

    @staticmethod
    def explain(status):
        if status == 413:
            return "the recording is too big for the server"
        if status >= 500:
            return "the server has a problem of its own, try again later"
        return "the server answered with status %d" % status
