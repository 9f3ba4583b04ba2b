"""How ``asc predict`` writes, line by line: a table for people, CSV (RFC 4180) or JSON Lines for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from asc_experiments.base.errors import one_line, written_out
from asc_experiments.base.files import whole_file

if TYPE_CHECKING:
    from asc_experiments.training.inference import Prediction

_DIGITS = 6
_TIMES = ("begin", "end")
_UNSURE = 0.5
"""Below it, a network gives the other scenes together more than its answer."""
_OFF = 0.1
"""An expected calibration error from which on probabilities are no chances of being right."""


class Format(StrEnum):
    """How predictions are written."""

    table = "table"
    csv = "csv"
    jsonl = "jsonl"
    dcase = "dcase"


@dataclass
class Confidence:
    """How sure a network is of its answers, and whether it should be: what a table's probabilities alone do not tell.

    Attributes:
        scenes: how many it chooses from.
        ece: its expected calibration error on the test fold; None where that is not known.
        answers: how many it gave.
        unsure: of them those with a probability below a half.
    """

    scenes: int
    ece: float | None = None
    answers: int = 0
    unsure: int = 0

    def count(self, prediction: Prediction) -> None:
        """Take an answer into account."""
        self.answers += 1
        self.unsure += prediction.probability < _UNSURE

    def told(self) -> list[str]:
        """What is to be said of all of them; nothing where the network is sure, and as often right as it says."""
        lines = []
        if self.unsure:
            guess = f"guessing among {self.scenes} scenes gives {1 / self.scenes:.2f}"
            what = f"{self.unsure:,} of {self.answers:,} answers have a probability below {_UNSURE} ({guess})"
            lines.append(f"{what}: by its own account, the network is more likely wrong there than right")
        if self.answers and self.ece is not None and self.ece >= _OFF:
            off = f"on the test fold, probabilities were off by {100 * self.ece:.0f} points on average"
            lines.append(f"{off} (ECE {self.ece:.2f}): take them as an order, not as the chance of being right")
        return lines


@contextmanager
def open_writer(
    format: Format, scenes: tuple[str, ...], output: Path | None, timed: bool = False
) -> Iterator[Callable[[Prediction], None]]:
    """Write predictions to standard output, or into a file that appears whole or not at all.

    Args:
        format: how.
        scenes: in the order of the columns.
        output: the file; None is standard output.
        timed: whether each prediction is of a window, with its times.

    Raises:
        AscError: if the file cannot be written.
    """
    if output is None:
        write = _standard_output()
        write(heading(format, scenes, timed))
        yield lambda prediction: write(line(format, scenes, prediction))
        return
    with whole_file(output) as write_bytes:
        write_bytes(heading(format, scenes, timed).encode())
        yield lambda prediction: write_bytes(line(format, scenes, prediction).encode())


def heading(format: Format, scenes: tuple[str, ...], timed: bool = False) -> str:
    """What stands above the lines: the columns of a table and of CSV, nothing elsewhere."""
    if format is Format.table:
        width, times = max(map(len, scenes)), f"{'begin':>9} –{'end':>9}    " if timed else ""
        return f"{times}{'scene':<{width}}  prob.  file\n"
    columns = [
        "file",
        *(_TIMES if timed else ()),
        "scene",
        "probability",
        *(f"probability/{scene}" for scene in scenes),
    ]
    return _csv_line(columns) if format is Format.csv else ""


def line(format: Format, scenes: tuple[str, ...], prediction: Prediction) -> str:
    """One prediction, with its end of line."""
    # A name of a file need not be text; what is written is.
    name = str(prediction.path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if format is Format.table:
        width = max(map(len, scenes))
        times = "" if prediction.begin is None else f"{prediction.begin:9.2f} –{prediction.end:9.2f} s  "
        return f"{times}{prediction.scene:<{width}}  {prediction.probability:5.3f}  {one_line(name)}\n"
    probabilities = prediction.distribution or {}
    distribution = {scene: round(probabilities[scene], _DIGITS) for scene in scenes}
    probability = round(prediction.probability, _DIGITS)
    begin, end = prediction.begin, prediction.end
    timed = {} if begin is None or end is None else {"begin": round(begin, _DIGITS), "end": round(end, _DIGITS)}
    if format is Format.csv:
        return _csv_line([name, *timed.values(), prediction.scene, probability, *distribution.values()])
    said = {"scene": prediction.scene, "probability": probability, "distribution": distribution}
    return json.dumps({"file": name, **timed, **said}) + "\n"


def _csv_line(values: list[object] | list[str]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()


def _to_terminal(text: str) -> None:
    sys.stdout.write(written_out(text))
    sys.stdout.flush()


def _standard_output() -> Callable[[str], None]:
    """Programs get names as they are, a terminal what does not steer it.

    A progress bar draws what goes to ``sys.stdout`` above itself, even where that is a file: a file's stream is held
    before. A terminal's is looked up each time; ``typer.echo`` would write past the bar, to the stream's buffer.
    """
    stream = sys.stdout
    if stream.isatty():
        return _to_terminal

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    return write
