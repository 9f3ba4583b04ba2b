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
_raised: tuple[BaseException, int] | None = None
"""What the last signal raised, and the signal's number."""


class Terminated(SystemExit):
    """SIGTERM came."""


def end_on_sigterm() -> None:
    """Have SIGTERM raise :class:`Terminated` in the main thread, wherever that is.

    Python ignores what is raised while an object is being finalised (``__del__``, callbacks of weak references), and so
    may lose a signal. What was lost there, of SIGTERM and of Ctrl-C, is raised again a moment later; no other exception
    is, so that the end that a signal has begun is not interrupted by itself.
    """
    signal.signal(signal.SIGTERM, _raise)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, or somebody's own
        signal.signal(signal.SIGINT, _raise)
    sys.unraisablehook = _signal_again


def _raise(signum: int, frame: FrameType | None) -> NoReturn:
    global _raised
    error = KeyboardInterrupt() if signum == signal.SIGINT else Terminated(128 + signum)
    _raised = error, signum
    raise error


def _signal_again(lost: UnraisableHookArgs) -> None:
    if _raised is None or lost.exc_value is not _raised[0]:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_MOMENT_S, os.kill, (os.getpid(), _raised[1]))
    again.daemon = True
    again.start()
