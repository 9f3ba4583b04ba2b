"""From studies to a written report: in which form, and into a file that is whole or not there."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from rich.console import Console

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import show
from asc_experiments.report.document import finite
from asc_experiments.report.findings import Findings, facts_of
from asc_experiments.report.formats import Format
from asc_experiments.report.reading import read_studies
from asc_experiments.report.text import as_tables
from asc_experiments.report.words import counted
from asc_experiments.tracking import Tracking

_TABLE_WIDTH = 400


def find(tracking: Tracking, names: Sequence[str]) -> list[Findings]:
    """Read studies, each name once.

    Raises:
        AscError: if the tracking server knows no study of a name.
    """
    return [Findings(runs) for runs in read_studies(tracking, names)]


def render(findings: Sequence[Findings], format: Format) -> str:
    """The report as text."""
    if format is Format.json:
        return json.dumps(finite(facts_of(findings)), indent=2, ensure_ascii=False) + "\n"
    if format is Format.csv:
        from asc_experiments.report.spreadsheet import as_csv

        return as_csv(findings)
    if format is Format.table:
        return _tables(findings)
    from asc_experiments.report.sections import report_of

    report = report_of(findings, _written(findings))
    if format is Format.md:
        from asc_experiments.report.markdown import as_text

        return as_text(report, findings)
    from asc_experiments.report.html import page

    return page(report)


def show_tables(findings: Sequence[Findings]) -> None:
    """Print the comparison of every study on the terminal."""
    for each in findings:
        for table in as_tables(each.comparison):
            show(table)


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and move it there, so that it is never half written.

    Raises:
        AscError: if it cannot be written.
    """
    part = None
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # as any new file: the temporary one is for us alone
        part.replace(path)
    except OSError as error:
        what = "its folder does not exist" if not path.parent.is_dir() else f"cannot be written ({error.strerror})"
        raise AscError(path, what, "give another --output") from None
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _tables(findings: Sequence[Findings]) -> str:
    file = io.StringIO()
    console = Console(width=_TABLE_WIDTH, file=file, highlight=False)
    for each in findings:
        for table in as_tables(each.comparison):
            console.print(table)
    lines = file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _written(findings: Sequence[Findings]) -> str:
    trials = sum(len(each.runs.trials) for each in findings)
    teachers = len({key for each in findings for key in each.runs.teachers})
    return (
        f"Written by asc_experiments {__version__} on {date.today():%-d %B %Y} from the tracking server: "
        f"{counted(trials, 'finished trial')}, {counted(teachers, 'teacher')}."
    )
