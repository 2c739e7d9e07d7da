"""Finds the browser that tests and screenshots drive, or says how to get one.

python -m sandbox.chromium        prints its path
"""

import os
import shutil
import sys

# A path in this environment variable wins.
VARIABLE = "CHROMIUM"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MISSING = f"""\
There is no Chromium here, and some tests drive a real browser. Install it:
  Debian, Ubuntu:  apt install chromium
  Fedora:          dnf install chromium
or name one:       export {VARIABLE}=/path/to/chrome
(`make check` does without.)"""


class NoBrowserError(Exception):
    """There is no Chromium; the message says how to get one."""


def find_chromium() -> str:
    """The path of Chromium, or of Chrome. Raises `NoBrowserError`."""
    for name in (os.environ.get(VARIABLE), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    raise NoBrowserError(MISSING)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find_chromium()}\n")
    except NoBrowserError as problem:
        sys.exit(str(problem))
