"""A stop is never lost, wherever it finds the process, and shows no traceback."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, time, weakref
from asc_experiments.base.stopping import Terminated, end_on_sigterm

end_on_sigterm()

class Object:
    def __del__(self):
        if {where!r} == "finaliser":
            stop()

def stop(reference=None):
    os.kill(os.getpid(), signal.{name})
    for _ in range(1000):  # the signal is handled here
        pass

try:
    gone = Object()
    reference = weakref.ref(gone, stop if {where!r} == "callback" else None)
    del gone
    if {where!r} == "plain code":
        stop()
    time.sleep(30)
except Terminated:
    print("terminated")
    raise
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("where", ["finaliser", "callback", "plain code"])
@pytest.mark.parametrize(("name", "said", "code"), [("SIGTERM", "terminated", 143), ("SIGINT", "interrupted", 0)])
def test_signal_ends_the_process_wherever_it_comes(where: str, name: str, said: str, code: int) -> None:
    program = PROGRAM.format(where=where, name=name)
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert (done.stdout.strip(), done.stderr, done.returncode) == (said, "", code)


def test_other_errors_of_finalisers_are_shown_as_always() -> None:
    program = PROGRAM.format(where="finaliser", name="SIGTERM").replace("stop()\n\ndef", "1 / 0\n\ndef")
    program = program.replace("time.sleep(30)", "pass")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 0


def test_interrupt_that_no_signal_raised_is_not_raised_again() -> None:
    program = PROGRAM.format(where="finaliser", name="SIGINT").replace(
        "stop()\n\ndef", "raise KeyboardInterrupt\n\ndef"
    )
    program = program.replace("time.sleep(30)", "time.sleep(0.2)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.returncode) == ("", 0)
