"""Progress with the time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_wide = Console(highlight=False, width=400)
_PLAIN_LINE_EVERY_S = 5.0


class Advance(Protocol):
    """Moves a progress display on by ``steps``; ``note`` stands behind the bar."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Move on."""


def fits(table: Table) -> bool:
    """Whether a table can be shown whole: always where it is not a terminal that shows it."""
    return not console.is_terminal or Measurement.get(console, console.options, table).minimum <= console.width


def show(table: Table) -> None:
    """Print a table on standard output; nothing is cut off where it is piped into a file or another program."""
    (console if console.is_terminal else _wide).print(table)


def say(text: str) -> None:
    """Print a line of running commentary (to standard error, so that ``--json`` stays clean)."""
    errors.print(text, markup=False)


@contextmanager
def progress(total: int, title: str, unit: str = "") -> Iterator[Advance]:
    """Show how far a task of ``total`` steps has come and how long it still takes.

    Args:
        total: the number of steps.
        title: what is being done.
        unit: what one step is, for the plain lines: ``clips``, ``epochs``.
    """
    if errors.is_terminal:
        with _bar(total, title) as advance:
            yield advance
    else:
        yield _plain_lines(total, title, unit)


@contextmanager
def _bar(total: int, title: str) -> Iterator[Advance]:
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=30),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        rich_progress.TextColumn("{task.fields[note]}", style="dim"),
    )
    with rich_progress.Progress(*columns, console=errors, transient=True) as display:
        task = display.add_task(title, total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            display.update(task, advance=steps, note=note)

        yield advance


def _plain_lines(total: int, title: str, unit: str) -> Advance:
    start = last = time.monotonic()
    done = 0

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if now - last < _PLAIN_LINE_EVERY_S or done >= total:
            return
        last = now
        left = (now - start) / done * (total - done)
        print(f"{title}: {done}/{total} {unit}, {left:.0f} s left {note}".rstrip(), file=sys.stderr, flush=True)

    return advance
