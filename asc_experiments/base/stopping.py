"""SIGTERM ends a process as Ctrl-C does: by an exception, so that runs and trials are told how they ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_MOMENT_S = 0.02


class Terminated(SystemExit):
    """SIGTERM came."""


def end_on_sigterm() -> None:
    """Have SIGTERM raise :class:`Terminated` in the main thread, wherever that is.

    Python ignores what is raised while an object is being finalised (``__del__``, callbacks of weak references), and so
    may lose a signal: Terminated and KeyboardInterrupt that were lost there are raised again a moment later.
    """
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _signal_again


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(128 + signum)


def _signal_again(lost: UnraisableHookArgs) -> None:
    number = {Terminated: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}.get(lost.exc_type)
    if number is None:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_MOMENT_S, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
