"""Read a table of text columns that may come from anywhere: every mistake is a problem with its line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from asc_experiments.base.errors import Problem
from asc_experiments.corpus.audio import unfit
from asc_experiments.corpus.clips import Coder, Column

Row = dict[str, str]
_SCENE = "scene_label"
_SEPARATED = {"\t": "tab-", ",": "comma-", ";": "semicolon-"}
_PIECE = 1 << 20
"""How many characters of a table are taken apart at a time: their texts are gone before the next ones are made."""


def read_table(
    root: Path, name: str, columns: tuple[str, ...], problems: list[Problem], delimiter: str = "\t"
) -> list[Row] | None:
    """Read a UTF-8 table with a header.

    Args:
        root: the folder that it lies in; a link out of it is not followed.
        name: its path there, and what problems call it.
        columns: which it has to have, none of them empty; others are left alone.
        problems: takes what is wrong.
        delimiter: what stands between columns.

    Returns:
        The rows without faults, or None where there are none at all or it cannot be read.
    """
    if problem := unfit(root, name):
        problems.append(problem)
        return None
    try:
        with (root / name).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader, [])
            missing = [column for column in columns if column not in header]
            if missing:
                kind = _SEPARATED.get(delimiter, "")
                remedy = f"the table is {kind}separated with a header: " + " ".join(columns)
                if missing == [_SCENE] and len(columns) > 1:
                    remedy += "; a list without scenes is no fold: asc predict MODEL_URI FOLDER hears its clips"
                problems.append(Problem(name, f"column {', '.join(missing)} is missing", remedy))
                return None
            rows = [dict(zip(header, row, strict=False)) for row in reader if row]  # two thirds of DictReader's time
    except FileNotFoundError:
        problems.append(Problem(name, f"no such file in {root}", "give a folder that has it"))
        return None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        problems.append(
            Problem(
                name, f"cannot be read ({error})", f"save it as a {_SEPARATED.get(delimiter, '')}separated UTF-8 text"
            )
        )
        return None
    if not rows:
        problems.append(Problem(name, "has no rows", "list at least one clip"))
        return None
    whole: list[Row] = []
    for line, row in enumerate(rows, start=2):
        if all(map(row.get, columns)):  # of hundreds of thousands of rows, a generator for each takes longer
            whole.append(row)
        else:
            problems.append(Problem(f"{name} line {line}", "a column is empty", "fill in " + " ".join(columns)))
    return whole


def read_columns(
    root: Path, name: str, columns: tuple[str, ...], problems: list[Problem]
) -> tuple[list[str], list[Column]] | None:
    """Read a table as :func:`read_table` does, by columns, the first of which names its rows.

    Of a table of 230,350 rows without quotes and faults that takes an eighth of the time, and a third of the memory.

    Args:
        root: the folder that it lies in; a link out of it is not followed.
        name: its path there, and what problems call it.
        columns: which it has to have, none of them empty; others are left alone.
        problems: takes what is wrong.

    Returns:
        The first column of the rows without faults, and the others; or None where there are no rows at all or it
        cannot be read.
    """
    names: list[str] = []
    coders = [Coder() for _ in columns[1:]]
    if unfit(root, name) is None:
        try:
            for first, *others in _plain_pieces(root / name, columns):
                names += first
                for coder, texts in zip(coders, others, strict=True):
                    coder.add(texts)
        except (_UnusualError, OSError, UnicodeDecodeError):
            names = []
        if names:
            return names, [coder.column() for coder in coders]
    rows = read_table(root, name, columns, problems)
    if rows is None:
        return None
    return [row[columns[0]] for row in rows], [Column.of(row[column] for row in rows) for column in columns[1:]]


class _UnusualError(Exception):
    """A table that only :mod:`csv` understands, or that has faults."""


def _plain_pieces(path: Path, columns: Sequence[str]) -> Iterator[list[list[str]]]:
    """The columns of a tab-separated table, some thousand rows at a time.

    Raises:
        _UnusualError: where a quote, an empty cell or a row of another length makes it more than its lines cut at tabs.
        OSError: if it cannot be read.
        UnicodeDecodeError: if it is no UTF-8.
    """
    with path.open(encoding="utf-8-sig") as file:
        header = _cells(file.readline(_PIECE))
        if len(set(header)) < len(header) or not set(columns) <= set(header):
            raise _UnusualError
        places = [header.index(column) for column in columns]
        while text := file.read(_PIECE) + file.readline():
            cells = _cells(text, len(header))
            found = [cells[place :: len(header)] for place in places]
            if any("" in column for column in found):
                raise _UnusualError
            yield found


def _cells(text: str, width: int | None = None) -> list[str]:
    """The cells of some lines, one row after the other.

    Args:
        text: the lines.
        width: how many cells each has; None where that is not known.

    Raises:
        _UnusualError: if a line has another number, a cell is longer than :mod:`csv` takes, or there are quotes.
    """
    if '"' in text or "\0" in text:
        raise _UnusualError
    text = text.removesuffix("\n")
    if width is not None:
        letters = np.frombuffer(f"{text}\n".encode(), dtype=np.uint8)
        ends = np.flatnonzero((letters == ord("\t")) | (letters == ord("\n")))
        is_whole = len(ends) % width == 0 and np.diff(ends, prepend=0).max() <= csv.field_size_limit()
        is_last = np.arange(1, len(ends) + 1) % width == 0
        if not is_whole or ((letters[ends] == ord("\n")) != is_last).any():
            raise _UnusualError
    return text.replace("\n", "\t").split("\t")


def check_unique(where: str, names: Iterable[str], problems: list[Problem]) -> None:
    """Add a problem for each name that stands more than once."""
    names = list(names)
    if len(set(names)) == len(names):  # of hundreds of thousands, counting each takes three times as long
        return
    for name, count in Counter(names).items():
        if count > 1:
            problems.append(Problem(where, f"{name} stands {count} times", "keep one row"))
