import sys

from ..api import APIError


class UploadCommand:
    def __init__(self, api, filename):
        self.api = api
        self.filename = filename

    def execute(self):
        try:
            result = self.api.upload_recording(self.filename)
        except OSError as e:
            self.say("upload failed: %s" % e)
            return 1
        except APIError as e:
            self.say("upload failed: %s" % e)
            self.say("retry later by running: upload-demo upload %s" % self.filename)
            return 1
        print(result.get("url", ""))
        return 0

    @staticmethod
    def say(text):
        print("upload-demo: " + text, file=sys.stderr)
