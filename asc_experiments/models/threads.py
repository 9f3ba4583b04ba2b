"""A few clips at a time on every processor: each thread does its operations alone.

PyTorch divides every single operation among the processors. Those of a frontend are so short that waiting for each
other takes a third of the time or more; threads that each take clips of their own meet once per batch.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def for_each(work: Callable[[T], None], items: Iterable[T]) -> None:
    """Do some work on every item, on as many threads as PyTorch would use; the first error is raised.

    Args:
        work: does nothing that needs a gradient.
        items: that do not depend on each other.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for item in items:
            work(item)
        return
    in_inference = torch.is_inference_mode_enabled()  # which threads do not inherit

    def do(item: T) -> None:
        with torch.inference_mode(in_inference), torch.no_grad():
            work(item)

    for _ in _pool(threads).map(do, items):
        pass


def _be_alone() -> None:
    """Have this thread do its operations alone; only the second call makes PyTorch remember it for this thread."""
    torch.set_num_threads(1)
    torch.get_num_threads()


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, "clips", initializer=_be_alone)
    all_there = threading.Barrier(threads)
    list(pool.map(lambda _: all_there.wait(), range(threads)))
    torch.set_num_threads(threads)  # it also says how many a thread has that begins later
    return pool


os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has none of the threads, and would wait for them
