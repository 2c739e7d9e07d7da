"""What commands tell the engineer: lines on standard output, what went wrong on the other one."""

import sys


def say(line: str, *, to_error: bool = False) -> None:
    """Print a line; what was said before stands before it, whichever output it went to."""
    sys.stdout.flush()
    print(line, file=sys.stderr if to_error else sys.stdout)


def fail(words: str) -> int:
    """Say why a command has come to nothing; return its exit code."""
    say(words, to_error=True)
    return 1
