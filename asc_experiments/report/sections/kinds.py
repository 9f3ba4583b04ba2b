"""The section of kinds: what students reached by the kind of their teachers, each teacher as one piece of evidence."""

from __future__ import annotations

from asc_experiments.metrics import value_in_words
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.question import kind_metrics
from asc_experiments.report.analysis.teacher_kinds import (
    KindResult,
    kind_differences,
    kind_level,
    results_of_kinds,
)
from asc_experiments.report.render.blocks import Section
from asc_experiments.report.render.table import Column, Table, number, text
from asc_experiments.report.words import counted, difference_of, interval_of
from asc_experiments.statistics import Margin

_TITLE = "Does the kind of teacher matter?"


def kinds_section(findings: Findings) -> Section:
    """Kinds of teachers side by side, and the differences between them."""
    results = results_of_kinds(findings.runs)
    if not results:
        why = "Two kinds of teachers or more, with several networks each and students that are alike, show it."
        return Section("kinds", _TITLE, (why,))
    metrics = kind_metrics(findings.runs.objective, results)
    differences = {name: kind_differences(results, name) for name in metrics}
    decided = differences[metrics[0]]
    clear = sum(each.is_known and not each.is_open for _, each in decided)
    said = (
        f"Of {counted(len(decided), 'difference')} between kinds in {metrics[0]}, {clear} can be told from chance. A "
        "teacher and its students are one piece of evidence: intervals are over teachers and places, not over students."
    )
    blocks = (said, _levels(results, metrics), _differences(differences))
    return Section("kinds", _TITLE, blocks)


def _levels(results: list[KindResult], metrics: list[str]) -> Table:
    rows = []
    for each in results:
        found = [kind_level(each, results, name) for name in metrics]
        shown = [text(_shown(name, margin)) for name, margin in zip(metrics, found, strict=True)]
        rows.append((text(each.kind), number(each.pieces), *shown))
    heads = (Column("taught by", is_number=False), Column("n"), *(Column(name, is_number=False) for name in metrics))
    caption = "Students by the kind of their teachers; n teachers, or students on labels alone; 95 % intervals"
    return Table(caption, heads, tuple(rows))


def _differences(differences: dict[str, list[tuple[str, Margin]]]) -> Table:
    pairs = [pair for pair, _ in next(iter(differences.values()))]
    by_name = {name: dict(found) for name, found in differences.items()}
    rows = tuple((text(pair), *(text(_change(name, found[pair])) for name, found in by_name.items())) for pair in pairs)
    heads = (Column("difference", is_number=False), *(Column(name, is_number=False) for name in differences))
    caption = f"Differences, in points; simultaneous 95 % intervals, widened for {counted(len(pairs), 'row')}; columns "
    return Table(caption + "are not corrected for one another", heads, rows)


def _shown(metric: str, found: Margin) -> str:
    value = value_in_words(metric, found.value)
    if not found.is_known:
        return value
    return f"{value} [{value_in_words(metric, found.low)}, {value_in_words(metric, found.high)}]"


def _change(metric: str, found: Margin) -> str:
    value = difference_of(metric, found.value)
    return f"{value} {interval_of(metric, found.low, found.high)}" if found.is_known else value
