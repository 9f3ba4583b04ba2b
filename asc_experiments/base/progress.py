"""Progress with the time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from asc_experiments.base.errors import one_line, written_out
from asc_experiments.base.tables import fitted


class _Console(Console):
    """Prints texts as they are: names from files and servers neither format the output nor steer the terminal."""

    @property
    def is_terminal(self) -> bool:
        """Whether one is behind it: Jupyter's kernels set ``FORCE_COLOR``, which has rich steer files as well."""
        return super().is_terminal and self.file.isatty()

    def render_str(self, text: str, **settings: Any) -> Text:
        """As rich does, of a text that is harmless."""
        return super().render_str(written_out(text), **settings)


# In a notebook rich would draw in the page what is meant for a file or a stream.
_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "force_jupyter": False}
console = _Console(**_PLAIN)
errors = _Console(stderr=True, soft_wrap=True, **_PLAIN)

WIDE = 400
"""In characters: what a table may take in a file."""
_wide = _Console(width=WIDE, **_PLAIN)
_PLAIN_LINE_EVERY_S = 5.0
_WORKER_LINE_EVERY_S = 15.0
_in_worker = False


class Advance(Protocol):
    """Moves a progress display on by ``steps``; ``note`` stands behind the bar."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Move on."""


def plain_progress() -> None:
    """Show progress as few plain lines from now on: this process is one of several that share a terminal."""
    global _in_worker
    _in_worker = True


@contextmanager
def hushed() -> Iterator[None]:
    """Say nothing for a block."""
    before, errors.quiet = errors.quiet, True
    try:
        yield
    finally:
        errors.quiet = before


def room() -> int:
    """How wide a table may be, in characters: as a terminal is, if one shows it, else as wide as in a file."""
    return console.width if console.is_terminal else WIDE


def in_file(shown: Sequence[Table | Text]) -> str:
    """Tables and texts as a file has them."""
    file = io.StringIO()
    target = _Console(width=WIDE, file=file, **_PLAIN)
    for each in shown:
        for part in fitted(each, WIDE):
            target.print(part)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def show(shown: Table | Text, widest: int = WIDE) -> None:
    """Print a table or a text on standard output; no number is cut off, on a terminal as little as in a file.

    Args:
        shown: the table or text.
        widest: in characters, also where it is not a terminal that shows it.
    """
    target = console if console.is_terminal else _wide
    width = min(widest, room())
    for part in fitted(shown, width):
        target.print(part, width=width)


def live(look: Callable[[], Table], every: float, has_ended: Callable[[], bool]) -> bool:
    """Show a table that is looked up again and again; where there is no terminal, one after the other.

    Args:
        look: gives the table as it is now.
        every: seconds between two looks.
        has_ended: whether there is nothing more to see, after the last look.

    Returns:
        Whether it has ended, rather than being ended by Ctrl-C.
    """
    from rich.live import Live

    try:
        if not console.is_terminal:
            show(look())
            while not has_ended():
                time.sleep(every)
                show(look())
            return True
        with Live(_whole(look()), console=console, auto_refresh=False) as display:
            while not has_ended():
                time.sleep(every)
                display.update(_whole(look()), refresh=True)
        return True
    except KeyboardInterrupt:
        return False


def _whole(table: Table) -> Group:
    return Group(*fitted(table, console.width))


def say(text: str) -> None:
    """Print a line of running commentary (to standard error, so that ``--json`` stays clean)."""
    errors.print(one_line(text))


@contextmanager
def progress(total: int, title: str, unit: str = "", done: int = 0) -> Iterator[Advance]:
    """Show how far a task of ``total`` steps has come and how long it still takes.

    Args:
        total: the number of steps.
        title: what is being done.
        unit: what one step is, for the plain lines: ``clips``, ``epochs``.
        done: steps that were done before, at an unknown pace.
    """
    if errors.is_terminal and not _in_worker:
        with _bar(total, title, done) as advance:
            yield advance
    else:
        yield _plain_lines(total, title, unit, done)


@contextmanager
def _bar(total: int, title: str, before: int) -> Iterator[Advance]:
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=30),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        rich_progress.TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with rich_progress.Progress(
        *columns, console=errors, transient=True, redirect_stdout=console.is_terminal
    ) as display:
        task = display.add_task(title, total=total, completed=before, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            display.update(task, advance=steps, note=note)

        yield advance


def _plain_lines(total: int, title: str, unit: str, before: int) -> Advance:
    start = last = time.monotonic()
    done = before

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if now - last < (_WORKER_LINE_EVERY_S if _in_worker else _PLAIN_LINE_EVERY_S) or done >= total:
            return
        last = now
        left = (now - start) / (done - before) * (total - done)
        further = f", {note}" if note else ""
        print(f"{title}: {done}/{total} {unit}, {left:.0f} s left{further}", file=sys.stderr, flush=True)

    return advance
