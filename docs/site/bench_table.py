"""The table of ``docs/benchmarks.md``, from the file that ``asc bench`` wrote.

::

    asc bench --rounds 3 --clips 256 -o docs/benchmarks.json
    python -m docs.site.bench_table
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
PAGE, RECORD = DOCS / "benchmarks.md", DOCS / "benchmarks.json"
_BEGIN, _END = "<!-- from benchmarks.json -->", "<!-- end -->"
_UNITS = {"clips_per_s": "clips/s", "ms": "ms", "s": "s", "percent": "%", "mib": "MiB"}


def table(record: dict[str, Any]) -> str:
    """The machine in a sentence, and a row for each line that was measured."""
    able = ", ".join(record["able_to"]) or "none of avx2, avx512_bf16 and amx_bf16"
    lines = [
        f"{record['machine']}, with {able}; PyTorch {record['torch']}; {record['day']}; "
        f"{record['clips']} clips, {record['rounds']} rounds.",
        "",
        "| work | asc | baseline | times better |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(name, facts) for name, facts in record["works"].items())])


def page(text: str, record: dict[str, Any]) -> str:
    """The page with the table of a record.

    Raises:
        ValueError: if the page does not say where the table is.
    """
    found, count = re.subn(
        f"{re.escape(_BEGIN)}.*?{re.escape(_END)}",
        lambda _: f"{_BEGIN}\n{table(record)}\n\n{_END}",
        text,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} places for the table")
    return found


def _row(name: str, facts: dict[str, float]) -> str:
    unit = next(unit for unit in _UNITS if unit in facts)
    cells = [name.replace("_", " "), f"{_number(facts[unit])} {_UNITS[unit]}", "", ""]
    if "ratio" in facts:
        cells[2] = f"{_number(facts[f'plain_{unit}'])} {_UNITS[unit]}"
        cells[3] = f"{facts['ratio']:.1f} ({facts['lowest_ratio']:.1f}–{facts['highest_ratio']:.1f})"
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(RECORD.read_text())), encoding="utf-8")
