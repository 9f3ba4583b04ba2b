"""The tables of ``docs/benchmarks.md``, from the files that ``asc bench`` and ``asc bench gpu`` wrote.

::

    asc bench --rounds 3 --clips 256 -o docs/benchmarks.json
    asc bench gpu -o docs/benchmarks-gpu.json
    python -m docs.site.bench_table

Where there is no file of a GPU, the page keeps saying so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asc_experiments.bench.gpu import Figures
from asc_experiments.bench.made_up import TAU22_TRAINING_CLIPS
from asc_experiments.bench.table import gpu_cells, gpu_goal

DOCS = Path(__file__).resolve().parents[1]
PAGE, RECORD, GPU_RECORD = DOCS / "benchmarks.md", DOCS / "benchmarks.json", DOCS / "benchmarks-gpu.json"
AMX_RECORD = DOCS / "benchmarks-amx.json"
"""What the first command wrote on a processor with AMX."""
_END = "<!-- end -->"
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


def gpu_table(record: dict[str, Any]) -> str:
    """The machine in a sentence, and a row for each work, with the goals where they are for so many clips."""
    memory = f"{record['memory_gib']:g} GiB, CUDA {record['cuda']}, " if "cuda" in record else ""
    lines = [
        f"{record['machine']}, {memory}in {record['numbers']}; {record['host']}; PyTorch {record['torch']}; "
        f"{record['day']}; {record['clips']:,} clips, {record['students']} students side by side, at most "
        f"{record['minutes']:g} minutes.",
        "",
        "| work | all clips | clips/s | ms a batch | busy | nvidia-smi | peak | in use | times one | goal | note |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_gpu_row(name, facts, record) for name, facts in record["works"].items())])


def _gpu_row(name: str, facts: dict[str, Any], record: dict[str, Any]) -> str:
    figures = Figures(**facts)
    goals = record["goals"].get(name, {}) if record["clips"] == TAU22_TRAINING_CLIPS else {}
    return f"| {' | '.join([name.replace('_', ' '), *gpu_cells(figures), gpu_goal(figures, goals), figures.note])} |"


def page(text: str, record: dict[str, Any], file: Path = RECORD, made: Callable[[dict[str, Any]], str] = table) -> str:
    """The page with the table of a record.

    Args:
        text: of the page.
        record: what a command wrote.
        file: the record's, after which the page names the place.
        made: makes the table of it.

    Raises:
        ValueError: if the page does not say where the table is.
    """
    begin = f"<!-- from {file.name} -->"
    found, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(_END)}",
        lambda _: f"{begin}\n{made(record)}\n\n{_END}",
        text,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} places for the table")
    return found


def written(text: str) -> str:
    """The page with the tables of all records that there are."""
    for file, made in ((RECORD, table), (AMX_RECORD, table), (GPU_RECORD, gpu_table)):
        if file.exists():
            text = page(text, json.loads(file.read_text(encoding="utf-8")), file, made)
    return text


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
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
