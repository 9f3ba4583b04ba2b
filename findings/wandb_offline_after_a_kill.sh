#!/bin/sh
# What:    wandb 0.31.0 with WANDB_MODE=offline: a process logs 50 values in 5 s and is killed (SIGKILL) while it waits.
# Guess:   the offline file holds what was logged until shortly before: it is a log of records that is appended to.
# Found:   it holds its header alone, 7 bytes, also seconds later. What is held back is little, but all that there is of a
#          short run (of 4,000 values 1.7 of 1,228 kB were missing). Ended by finish(), it is whole.
# Why it matters: of a training that is killed (out of memory, a queue's time limit) after tens of values, W&B's offline
#          folder has nothing to synchronise, however many hours they took.
# Seen:    2026-11-30: wandb_offline_after_a_kill: bytes of the offline file after 50 values: 7 killed, 15751 finished
. "$(dirname "$0")/venv.inc"
in_venv wandb==0.31.0 <<'PYTHON'
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import sys, time, wandb
run = wandb.init(project="p", mode="offline", dir=sys.argv[1], settings=wandb.Settings(console="off"))
for epoch in range(50):
    run.log({"loss": 1.0 / (1 + epoch)}, step=epoch)
    time.sleep(0.1)
print("logged", flush=True)
if sys.argv[2] == "killed":
    time.sleep(600)
run.finish()
"""
os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
sizes = {}
for end in ("killed", "finished"):
    with tempfile.TemporaryDirectory() as folder:
        program = subprocess.Popen([sys.executable, "-c", PROGRAM, folder, end], stdout=subprocess.PIPE, text=True)
        line = program.stdout.readline()
        assert line == "logged\n", line
        if end == "killed":
            program.send_signal(signal.SIGKILL)
        program.wait()
        time.sleep(5)  # what writes the file is a process of its own
        sizes[end] = sum(path.stat().st_size for path in Path(folder).rglob("*.wandb"))
killed, finished = sizes["killed"], sizes["finished"]
print(f"wandb_offline_after_a_kill: bytes of the offline file after 50 values: {killed} killed, {finished} finished")
assert killed < 100 < finished, "the behaviour has changed"
PYTHON
