import io
import uuid
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen


class HTTPConnectionError(Exception):
    pass


class URLLibHttpAdapter:
    def post(self, url, files, headers):
        content_type, body = self.encode(files)
        headers = dict(headers)
        headers["Content-Type"] = content_type
        request = Request(url, data=body, headers=headers, method="POST")
        try:
            response = urlopen(request)
            status = response.getcode()
            headers = dict(response.headers)
            body = response.read()
        except HTTPError as e:
            status, headers, body = e.code, dict(e.headers), e.read()
        except URLError as e:
            raise HTTPConnectionError(str(e))
        return status, headers, body

    @staticmethod
    def encode(files):
        boundary = uuid.uuid4().hex
        out = io.BytesIO()
        for field, (name, data) in files.items():
            head = (
                '--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n" % (boundary, field, name)
            )
            out.write(head.encode("utf-8"))
            out.write(data)
            out.write(b"\r\n")
        out.write(("--%s--\r\n" % boundary).encode("ascii"))
        return "multipart/form-data; boundary=" + boundary, out.getvalue()
