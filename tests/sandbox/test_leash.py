"""A program on a leash ends with whoever holds it, and takes its children along."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_SECONDS = 20.0

# A program that starts a child, as the embedded AWS starts its workers, and ignores being asked.
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""

# Somebody who starts the former on a leash, as the sandbox does.
HOLDER = """
import subprocess, sys, time
command = [sys.executable, "-m", "sandbox.leash", sys.executable, "-c", *sys.argv[1:]]
subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


def _hold(folder: Path, program: str) -> tuple["subprocess.Popen[bytes]", Path]:
    note = folder / "child"
    leash = subprocess.Popen(  # noqa: S603 - words of this file
        [sys.executable, "-m", "sandbox.leash", sys.executable, "-c", program, str(note)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    return leash, note


def _wait_for(note: Path) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(note.read_text())


def _is_gone(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    # Killed, and not yet collected by whoever adopted it.
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _assert_ends(process_id: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _is_gone(process_id):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("way", ["let go", "asked to end"])
def test_letting_go_ends_the_program_and_its_children(tmp_path: Path, way: str) -> None:
    leash, note = _hold(tmp_path, STUBBORN)
    child = _wait_for(note)
    assert leash.stdin is not None

    if way == "asked to end":
        leash.terminate()
        leash.wait(PATIENCE_SECONDS)
    leash.stdin.close()
    leash.wait(PATIENCE_SECONDS)

    _assert_ends(child)


def test_a_killed_holder_lets_go_as_well(tmp_path: Path) -> None:
    note = tmp_path / "child"
    holder = subprocess.Popen(  # noqa: S603 - words of this file
        [sys.executable, "-c", HOLDER, STUBBORN, str(note)]
    )
    child = _wait_for(note)

    holder.kill()
    holder.wait(PATIENCE_SECONDS)

    _assert_ends(child)


def test_a_program_that_ends_by_itself_ends_the_leash(tmp_path: Path) -> None:
    leash, _ = _hold(tmp_path, "pass")
    assert leash.stdin is not None

    leash.wait(PATIENCE_SECONDS)
    leash.stdin.close()
