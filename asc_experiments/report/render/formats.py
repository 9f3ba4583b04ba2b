"""The forms that a report is written in, and which one a file is meant to have. (Loads nothing heavy.)"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    """How a report is written."""

    table = "table"
    html = "html"
    md = "md"
    csv = "csv"
    json = "json"


def format_of(path: Path | None) -> Format:
    """The form that a file's ending asks for; a table where it asks for none."""
    endings = {".html": Format.html, ".htm": Format.html, ".md": Format.md, ".csv": Format.csv, ".json": Format.json}
    return Format.table if path is None else endings.get(path.suffix.lower(), Format.table)


def default_file(names: Sequence[str]) -> Path:
    """Where a page goes that nobody named a file for: ``NAME.html``, or ``report.html``, in the current folder."""
    stem = re.sub(r"[^\w.-]+", "_", names[0]).lstrip(".-") if len(set(names)) == 1 else "report"
    return Path(f"{stem or 'report'}.html")
