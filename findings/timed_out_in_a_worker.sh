#!/bin/sh
# What:    pytest 9.2.0 with pytest-timeout 2.4.0 (--timeout-method thread) and pytest-xdist 3.8.0: a test that takes too
#          long, alone and in one of two workers.
# Guess:   both ways the stacks of all threads are shown, which is what that method is for.
# Found:   alone they are; in a worker nothing is shown but that the worker went down. pytest's own faulthandler_timeout
#          shows them in both.
# Why it matters: a training that hangs, as OpenMP or a lock between processes can make one, hangs on the busy machine that
#          runs the tests in parallel: the one time in a hundred, of which nothing is left to look at.
# Seen:    2026-12-01: timed_out_in_a_worker: stacks shown: alone True, in a worker False, there with faulthandler_timeout True
. "$(dirname "$0")/venv.inc"
in_venv pytest==9.2.0 pytest-timeout==2.4.0 pytest-xdist==3.8.0 <<'PYTHON'
import subprocess
import sys
import tempfile
from pathlib import Path

TEST = """
import time

def test_that_waits():
    time.sleep(20)
"""


def shows_stacks(*options):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_waits.py").write_text(TEST)
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "--timeout", "4", "--timeout-method", "thread", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode, "the test was not ended"
        return "time.sleep(20)" in done.stdout + done.stderr or "in test_that_waits" in done.stdout + done.stderr


worker = "-n", "2", "--max-worker-restart", "0"
found = shows_stacks(), shows_stacks(*worker), shows_stacks(*worker, "-o", "faulthandler_timeout=2")
print(
    "timed_out_in_a_worker: stacks shown: "
    "alone {}, in a worker {}, there with faulthandler_timeout {}".format(*found)
)
assert found == (True, False, True), "the behaviour has changed"
PYTHON
