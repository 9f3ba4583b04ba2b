"""The program in a pseudo-terminal of a certain width, as a person sees it."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

_SEVERAL = """
import json, sys
from asc_experiments.cli.main import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["asc", *command]
    print("$", command[0], flush=True)
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
"""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


def in_terminal(columns: int, *commands: Sequence[object]) -> list[str]:
    """What a terminal shows of commands that are given one after another, without colours.

    Args:
        columns: its width, in characters.
        commands: each as its words.

    Returns:
        the output of each command.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    words = json.dumps([list(map(str, command)) for command in commands])
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", _SEVERAL, words],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment | {"TERM": "xterm"},
    )
    os.close(theirs)
    text = _ESCAPES.sub("", b"".join(iter(lambda: _read(ours), b"")).decode())
    os.close(ours)
    assert process.wait() == 0, text
    return text.split("$ ")[1:]


def _read(terminal: int) -> bytes:
    """What comes next; nothing once the program has ended (Linux answers with an error then)."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def numbers_in(text: str) -> set[str]:
    """The numbers that stand alone in a text."""
    return {word for word in text.split() if re.fullmatch(r"[+-]?\d[\d,]*(\.\d+)?", word)}


def table_lines(text: str) -> list[str]:
    """The lines of tables."""
    return [line for line in text.splitlines() if line[:1] in "┏┃┡│├└┌"]
