"""Read a table of text columns that may come from anywhere: every mistake is a problem with its line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from asc_experiments.base.errors import Problem
from asc_experiments.corpus.audio import unfit

Row = dict[str, str]
_SCENE = "scene_label"
_SEPARATED = {"\t": "tab-", ",": "comma-", ";": "semicolon-"}


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


def check_unique(where: str, names: Iterable[str], problems: list[Problem]) -> None:
    """Add a problem for each name that stands more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            problems.append(Problem(where, f"{name} stands {count} times", "keep one row"))
