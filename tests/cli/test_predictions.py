"""How predictions are written, line by line."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from asc_experiments.cli.predictions import Confidence, Format, heading
from asc_experiments.training.inference import Prediction

_PROGRAM = """
import time
from types import SimpleNamespace
from asc_experiments.base.progress import progress
from asc_experiments.cli.predictions import Format, open_writer
with open_writer(Format.table, ("bus", "park"), None) as write, progress(2, "predicting", "files") as advance:
    for name in ("one.wav", "two.wav"):
        time.sleep(0.3)  # the bar is drawn meanwhile
        write(SimpleNamespace(path=name, scene="bus", probability=0.5, begin=None, end=None, distribution=None))
        advance()
"""


def on_a_screen(output: str) -> list[str]:
    """The lines of a terminal: what is drawn over, is gone; lines that are erased, too."""
    lines, row = [""], 0
    parts = output.replace("\x1b[2K", "\0").replace("\x1b[1A", "\1")
    column = 0
    skip = False
    for letter in parts:
        if skip:
            skip = not letter.isalpha()
        elif letter == "\x1b":
            skip = True
        elif letter == "\n":
            row, column = row + 1, column
            lines += [""] * (row + 1 - len(lines))
        elif letter == "\r":
            column = 0
        elif letter == "\0":
            lines[row] = ""
        elif letter == "\1":
            row -= 1
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + letter + line[column + 1 :]
            column += 1
    return lines


def test_lines_stand_above_the_progress_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"TERM": "xterm"}
    command = [sys.executable, "-c", _PROGRAM]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    read = io.BytesIO()
    while True:
        try:
            read.write(os.read(ours, 65_536))
        except OSError:  # the program has ended
            break
    os.close(ours)
    assert process.wait() == 0, read.getvalue().decode()
    lines = [line.rstrip() for line in on_a_screen(read.getvalue().decode()) if line.strip()]
    assert lines == ["scene  prob.  file", "bus   0.500  one.wav", "bus   0.500  two.wav"]


def test_table_says_what_its_columns_are_and_json_lines_need_no_heading() -> None:
    scenes = ("bus", "street_traffic")
    assert heading(Format.table, scenes) == "scene           prob.  file\n"
    assert heading(Format.table, scenes, timed=True).split() == ["begin", "–", "end", "scene", "prob.", "file"]
    assert heading(Format.jsonl, scenes) == ""


@pytest.mark.parametrize(
    ("probabilities", "ece", "told"),
    [
        ([0.9, 0.5], 0.05, []),
        ([0.9, 0.5], None, []),
        ([], 0.5, []),
        (
            [0.11, 0.3, 0.49, 0.9],
            None,
            [
                "3 of 4 answers have a probability below 0.5 (guessing among 10 scenes gives 0.10): by its own "
                "account, the network is more likely wrong there than right"
            ],
        ),
        (
            [0.9],
            0.274,
            [
                "on the test fold, probabilities were off by 27 points on average (ECE 0.27): take them as an order, "
                "not as the chance of being right"
            ],
        ),
    ],
    ids=["sure and right", "not measured", "no answers", "flat", "badly calibrated"],
)
def test_confidence_tells_of_flat_answers_and_of_probabilities_that_are_none(
    probabilities: list[float], ece: float | None, told: list[str]
) -> None:
    confidence = Confidence(10, ece)
    for probability in probabilities:
        confidence.count(Prediction(Path("a.wav"), "bus", probability))
    assert confidence.told() == told
