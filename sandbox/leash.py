"""Runs a program that ends when whoever started it ends, however that came about.

    python -m sandbox.leash program argument …

Whoever starts the leash holds the other end of its standard input. When that end closes (on
purpose, or because the holder was killed), the program and everything it started is killed: it is
for programs with nothing worth saving. Start the leash in a session of its own
(`start_new_session`): it kills its whole process group, and Ctrl-C at the terminal does not reach
it.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

# How often to look whether the program has ended by itself.
LOOK_EVERY_SECONDS = 0.5


def main(command: Sequence[str]) -> None:
    """Run `command` until it ends or the holder lets go, then leave nothing of it behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the holder's own words
    try:
        while program.poll() is None and _is_held():
            pass
    finally:
        program.kill()
        program.wait()  # collects it: not every container's first process would
        os.killpg(os.getpgid(0), signal.SIGKILL)  # its children, and with them us


def _is_held() -> bool:
    """Whether the holder still holds the other end, looked at for a moment."""
    readable, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)
    return not readable or os.read(sys.stdin.fileno(), 1) != b""


if __name__ == "__main__":
    main(sys.argv[1:])
