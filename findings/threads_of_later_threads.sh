#!/bin/sh
# What:    PyTorch 2.11.0 on a processor, torch.set_num_threads(1) in a thread of its own, as in a pool whose threads each
#          take clips alone, while the main thread trains with two.
# Guess:   it counts for the thread that calls it, or for the whole process.
# Found:   it counts for that thread and for every one that begins later, though that one never heard of it; not for those
#          that have computed before, of which the main thread still says 2. And a thread that has set 1, and done nothing
#          else yet, has 2 as soon as another one sets 2: only one that has asked, or computed, keeps its number. (That they
#          compute with as many as they say, the processor time of a long operation showed: 1.0 and 1.7 to 1.8 processors.)
# Why it matters: a thread of a data loader or a server that makes itself modest makes every later thread slow, in which a
#          training may run; and to set the number back makes those greedy again that have not begun to compute.
# Seen:    2026-12-01: threads_of_later_threads: after one thread set 1: it 1, main 2, a later one 1; set to 1 before another one sets 2: 2, if it asked before that: 1
. "$(dirname "$0")/venv.inc"
in_venv torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import threading

import torch


def in_a_thread(*steps, meanwhile=lambda: None):
    """What the last step gives; before it, the main thread does something."""
    given, ready, go = [], threading.Event(), threading.Event()

    def run():
        for step in steps[:-1]:
            step()
        ready.set()
        go.wait()
        given.append(steps[-1]())

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    meanwhile()
    go.set()
    thread.join()
    return given[0]


def one():
    torch.set_num_threads(1)


def two():
    torch.set_num_threads(2)


ask = torch.get_num_threads
two()
torch.randn(1_000, 1_000).sin()  # the main thread has computed
own, main, later = in_a_thread(one, ask), ask(), in_a_thread(ask)
two()
found = own, main, later, in_a_thread(one, ask, meanwhile=two), in_a_thread(one, ask, ask, meanwhile=two)
print(
    "threads_of_later_threads: after one thread set 1: it {}, main {}, a later one {}; "
    "set to 1 before another one sets 2: {}, if it asked before that: {}".format(*found)
)
assert found == (1, 2, 1, 2, 1), "the behaviour has changed"
PYTHON
