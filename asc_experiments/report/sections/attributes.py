"""The section of what makes a good teacher here: attributes of teachers by what goes with them."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.attributes import Attribute
from asc_experiments.report.charts.attributes import effects
from asc_experiments.report.charts.base import rows_height
from asc_experiments.report.document import Block, Cell, Chart, Column, Section, Table, number, points, text
from asc_experiments.report.effects import FEWEST, FEWEST_OF_A_KIND, Effect
from asc_experiments.report.findings import Findings
from asc_experiments.report.runs import StudyRuns, better_word, objective_name
from asc_experiments.report.words import counted, difference_of, interval_of, is_part_of_one, listed
from asc_experiments.tracking.trials import SAMPLER

_SHOWN = 12
"""Attributes in a chart; all are in the table."""
_ROOM_PX = 22
_ADAPTIVE = ("tpe", "gp", "nsga2")
_FEWEST_FOR_SAMPLERS = 10
"""Trials that Optuna's samplers draw at random before they learn."""


def attributes_section(findings: Findings) -> Section:
    """What makes a good teacher here: attributes by their effect on the student."""
    title, found, runs = "What makes a good teacher here", findings.attributes, findings.runs
    if not found:
        why = "No attribute of the teachers varies. Three finished trials or more, of different teachers, show it."
        return Section("attributes", title, (why,))
    objective = objective_name(runs.objective, runs.split)
    targets = (f"objective ({better_word(runs.objective)} is better)", "accuracy on unseen devices")
    blocks: list[Block] = [_attributes_in_words(found, runs.objective, objective)]
    is_sure = any(each.on_objective is not None and each.on_objective.low is not None for each in found)
    for is_category, what in ((False, "Numbers: rank correlations"), (True, "Kinds: differences of means")):
        shown = [each for each in found if each.is_category == is_category][:_SHOWN]
        if shown and is_sure and (not is_category or is_part_of_one(runs.objective)):
            figure = effects(shown, is_category, targets, 100.0)
            unit = ", in points" if is_category else ""
            alternative = "; ".join(
                f"{each.name} {_effect(each, runs.objective, each.on_objective)}" for each in shown[:5]
            )
            height = rows_height(len(shown)) + _ROOM_PX * len(shown)
            blocks.append(Chart(f"{what}{unit}", figure, f"Strongest first: {alternative}.", height))
    blocks.append(_attribute_table(found, runs.objective))
    cautions = (
        f"{chosen_by(runs)} These are associations over trials, not effects of a single change.",
        *_also_different(findings),
        f"Of {len(found)} intervals about one in twenty misses by chance; below {FEWEST} trials "
        f"(or {FEWEST_OF_A_KIND} of a kind) none is given, because it would be invented.",
    )
    return Section("attributes", title, tuple(blocks), cautions)


def chosen_by(runs: StudyRuns) -> str:
    """Why trials that differ are no experiment: they differ in many things, and a sampler has its favourites."""
    sampler = runs.tags.get(SAMPLER, "")
    if sampler == "grid":
        return "The trials are the cells of a grid, fixed beforehand; most differ in several things at once."
    if sampler in _ADAPTIVE:
        return "Trials differ in many things at once, and the sampler tried more often what had gone well."
    tried = len(runs.trials) + len(runs.pruned)
    if sampler or tried <= _FEWEST_FOR_SAMPLERS:
        return "Trials differ in many things at once."
    return "Trials differ in many things at once; a sampler that learns tries more often what has gone well."


def _also_different(findings: Findings) -> tuple[str, ...]:
    """What no attribute in the table tells."""
    names = findings.teacher_differences.settings
    return (f"The teachers also differ in {listed(names, 8)}, which is not ranked here.",) if names else ()


def _attributes_in_words(found: Sequence[Attribute], metric: str, objective: str) -> str:
    clear = [each for each in found if each.on_objective and each.on_objective.is_clear]
    n = max(each.on_objective.n for each in found if each.on_objective)
    if clear:
        told = [f"{each.name} {_effect(each, metric, each.on_objective)}" for each in clear[:4]]
        return f"What goes with the student's {objective}, with intervals that leave out 0: {listed(told)}."
    if n < FEWEST:
        return f"With {counted(n, 'trial')} this is a description of what was tried, not evidence of what helps."
    return f"No interval leaves out 0: these {n} trials do not show what makes a good teacher for the {objective}."


def _effect(attribute: Attribute, metric: str, effect: Effect | None) -> str:
    if effect is None:
        return ""
    value = difference_of(metric, effect.value) if attribute.is_category else f"ρ = {effect.value:+.2f}"
    if effect.low is None or effect.high is None:
        return value
    interval = f"[{effect.low:+.2f}, {effect.high:+.2f}]"
    return f"{value} {interval_of(metric, effect.low, effect.high) if attribute.is_category else interval}"


def _attribute_table(found: Sequence[Attribute], metric: str) -> Table:
    rows = []
    for each in found:
        cells = [text(each.name), text("difference" if each.is_category else "ρ")]
        for effect, of in ((each.on_objective, metric), (each.on_unseen, "accuracy/group/unseen")):
            cells += _effect_cells(each, effect, of)
        rows.append(tuple(cells))
    heads = (
        Column("attribute", is_number=False),
        Column("measure", is_number=False),
        Column("objective"),
        Column("95 % interval", "objective", is_number=False),
        Column("n"),
        Column("unseen"),
        Column("95 % interval", "unseen", is_number=False),
        Column("n"),
    )
    caption = "Attributes of teachers, strongest first; differences of accuracies in points"
    return Table(caption, heads, tuple(rows))


def _effect_cells(attribute: Attribute, effect: Effect | None, metric: str) -> list[Cell]:
    if effect is None:
        return [Cell(""), Cell(""), Cell("")]
    in_points = attribute.is_category and is_part_of_one(metric)
    value = points(effect.value) if in_points else number(effect.value, "+.4f" if attribute.is_category else "+.2f")
    told = "too few trials"
    if effect.low is not None and effect.high is not None:
        interval = f"[{effect.low:+.2f}, {effect.high:+.2f}]"
        told = interval_of(metric, effect.low, effect.high) if attribute.is_category else interval
    n = str(effect.n) if effect.sizes is None else f"{effect.sizes[0]} / {effect.sizes[1]}"
    return [value, text(told), Cell(n, value=float(effect.n))]
