import argparse
import os
import sys

from . import __version__
from .api import Api
from .commands.upload import UploadCommand


def main(argv=None):
    parser = argparse.ArgumentParser(prog="upload-demo")
    parser.add_argument("--version", action="version", version="upload-demo " + __version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    upload = commands.add_parser("upload", help="upload a terminal recording")
    upload.add_argument("filename")
    args = parser.parse_args(argv)
    if args.command is None:
        parser.error("a command is needed")

    url = os.environ.get("UPLOAD_DEMO_API_URL", "https://localhost")
    user = os.environ.get("USER", "demo")
    return UploadCommand(Api(url, user), args.filename).execute()


if __name__ == "__main__":
    sys.exit(main())
