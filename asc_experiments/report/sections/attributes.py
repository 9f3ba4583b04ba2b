"""The section of what makes a good teacher here: attributes of teachers by what goes with them beyond luck."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.metrics import UNSEEN_ACCURACY, is_part_of_one
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.teacher_attributes import Attribute
from asc_experiments.report.analysis.teacher_design import Design
from asc_experiments.report.charts.attributes import effects
from asc_experiments.report.charts.base import rows_height
from asc_experiments.report.data.study_runs import StudyRuns, objective_name
from asc_experiments.report.render.blocks import Block, Chart, Section
from asc_experiments.report.render.table import Cell, Column, Table, number, points, text
from asc_experiments.report.words import counted, difference_of, interval_of, listed, units
from asc_experiments.statistics.permutation import FEWEST, FEWEST_UNITS, Effect

_SHOWN = 12
"""Attributes in a chart; all are in the table."""
_ROOM_PX = 22
_NETWORKS = 3
"""Networks of a kind that tell what the kind is worth from their luck."""


def attributes_section(findings: Findings) -> Section:
    """What makes a good teacher here: attributes by their effect on the student."""
    title, found, runs = "What makes a good teacher here", findings.attributes, findings.runs
    if not found:
        why = "No attribute of the teachers varies. Three finished trials or more, of different teachers, show it."
        return Section("attributes", title, (why,))
    targets = (f"objective ({'higher' if runs.sign > 0 else 'lower'} is better)", "accuracy on unseen devices")
    blocks: list[Block] = [attributes_in_words(findings)]
    for is_category, what in ((False, "Numbers: rank correlations"), (True, "Kinds: differences of means")):
        told = [each for each in found if each.on_objective is not None and not each.on_objective.too_few]
        shown = [each for each in told if each.is_category == is_category][:_SHOWN]
        if shown and (not is_category or is_part_of_one(runs.objective)):
            figure = effects(shown, is_category, targets, 100.0)
            unit = ", in points" if is_category else ""
            alternative = "; ".join(_effect(each, runs.objective) for each in shown[:5])
            height = rows_height(len(shown)) + _ROOM_PX * len(shown)
            blocks.append(Chart(f"{what}{unit}", figure, f"Strongest first: {alternative}.", height))
    blocks.append(_attribute_table(found, runs.objective, findings.design))
    return Section("attributes", title, tuple(blocks), _cautions(findings))


def attributes_in_words(findings: Findings) -> str:
    """What can be said of what makes a good teacher, in a sentence."""
    found, runs, design = findings.attributes, findings.runs, findings.design
    objective = objective_name(runs.objective, runs.split)
    told = [each.on_objective for each in found if each.on_objective is not None]
    if not told:
        return "No attribute of the teachers varies over the trials."
    trials, luck = counted(max(each.n for each in told), "trial"), units(max(each.units for each in told), design.unit)
    clear = [each for each in found if each.on_objective is not None and each.on_objective.is_clear]
    if clear:
        said = listed([_effect(each, runs.objective) for each in clear], 4)
        return f"What goes with the student's {objective}, by more than the luck of {luck} in {trials} gives: {said}."
    if all(each.too_few for each in told):
        return f"With {trials} and {luck} this is a description of what was tried, not evidence of what helps."
    return (
        f"Nothing goes with the student's {objective} by more than luck gives: {trials} with {luck} do not show what "
        "makes a good teacher."
    )


def chosen_by(design: Design) -> str:
    """Why trials that differ are no experiment: they differ in many things, and a sampler has its favourites."""
    if design.is_grid:
        return (
            "The trials are the cells of a grid, fixed beforehand; trials that share an attribute may differ in others."
        )
    if design.learns is None:
        return "Trials differ in many things at once; a sampler that learns tries more often what has gone well."
    if design.learns:
        return "Trials differ in many things at once, and the sampler tried more often what had gone well."
    return "Trials differ in many things at once."


def _cautions(findings: Findings) -> tuple[str, ...]:
    design, runs = findings.design, findings.runs
    held = design.held_names()
    adjusted = f" They are what a linear fit of {listed(held, 8)} leaves." if held else ""
    tests = sum(effect is not None for each in findings.attributes for effect in (each.on_objective, each.on_unseen))
    return (
        f"{chosen_by(design)} These are associations over trials, not effects of a single change.{adjusted}",
        *_single_networks(design),
        *_also_different(findings),
        _on_luck(findings, tests),
        *_left_out(runs),
    )


def _on_luck(findings: Findings, tests: int) -> str:
    """How luck is told from effects; where nothing was judged, only what a verdict takes."""
    least = f"Below {FEWEST} trials, or {FEWEST_UNITS} of what luck comes in, nothing is judged"
    if not _is_judged(findings.attributes):
        return f"{least}, as here."
    return (
        "Trials share teachers, and with them their luck, so luck is dealt out among "
        f"{units(None, findings.design.unit)} anew. p is corrected for all {tests} effects in the table (the maximum "
        f"of Westfall and Young): where nothing matters, one study in twenty calls anything clear. {least}."
    )


def _is_judged(found: Sequence[Attribute]) -> bool:
    """Whether any attribute has trials and teachers enough for a verdict."""
    return any(each.on_objective is not None and not each.on_objective.too_few for each in found)


def _single_networks(design: Design) -> tuple[str, ...]:
    kinds = design.single_kinds
    if kinds < 2:
        return ()
    return (
        f"Each of the {kinds} kinds of teachers is here as one network: how well a kind teaches cannot be told from "
        f"the luck of that network. {_NETWORKS} networks of each, {counted((_NETWORKS - 1) * kinds, 'teacher')} more, "
        "would tell; what several kinds have in common is judged against the luck of all.",
    )


def _left_out(runs: StudyRuns) -> tuple[str, ...]:
    """Trials that are not in the table, counted."""
    pruned, failed = len(runs.pruned), len(runs.failed)
    said = []
    if pruned:
        was = counted(pruned, "pruned trial is", "pruned trials are")
        said.append(
            f"{was} not in this table: stopped for beginning badly, before there was an objective. Attributes that "
            "begin badly are judged by those of their trials that did not."
        )
    if failed:
        said.append(f"{counted(failed, 'failed trial is', 'failed trials are')} not in this table.")
    return tuple(said)


def _also_different(findings: Findings) -> tuple[str, ...]:
    """What no attribute in the table tells."""
    names = findings.teacher_differences.settings
    return (f"The teachers also differ in {listed(names, 8)}, which is not ranked here.",) if names else ()


def _effect(attribute: Attribute, metric: str) -> str:
    """An attribute's effect on the objective and what luck gives, in words."""
    effect = attribute.on_objective
    if effect is None:
        return attribute.name
    value = difference_of(metric, effect.value) if attribute.is_category else f"ρ = {effect.value:+.2f}"
    luck = _luck(attribute.is_category, effect, metric)
    return f"{attribute.name} {value}" + (f" (luck alone: {luck})" if luck else "")


def _luck(is_category: bool, effect: Effect, metric: str) -> str:
    if effect.luck_low is None or effect.luck_high is None:
        return ""
    if is_category:
        return interval_of(metric, effect.luck_low, effect.luck_high)
    return f"[{effect.luck_low:+.2f}, {effect.luck_high:+.2f}]"


def _attribute_table(found: Sequence[Attribute], metric: str, design: Design) -> Table:
    rows, marked = [], []
    for place, each in enumerate(found):
        cells = [text(each.name), text("difference" if each.is_category else "ρ")]
        cells += _effect_cells(each, each.on_objective, metric)
        effect = each.on_objective
        trials = "" if effect is None else str(effect.n) if effect.sizes is None else "{} / {}".format(*effect.sizes)
        cells += [text(_verdict(effect)), Cell(trials, value=None if effect is None else float(effect.n))]
        cells += [number(None if effect is None else effect.units)]
        rows.append((*cells, *_effect_cells(each, each.on_unseen, UNSEEN_ACCURACY)))
        marked += [place] if effect is not None and effect.is_clear else []
    heads = (
        Column("attribute", is_number=False),
        Column("measure", is_number=False),
        Column("objective"),
        Column("luck alone", "objective", is_number=False),
        Column("p", "objective"),
        Column("verdict", is_number=False),
        Column("trials"),
        Column(units(None, design.unit)),
        Column("unseen"),
        Column("luck alone", "unseen", is_number=False),
        Column("p", "unseen"),
    )
    caption = "Attributes of teachers; none can be judged here: too few trials or teachers"
    if _is_judged(found):
        caption = "Attributes of teachers, strongest first; clear: luck alone does not explain it"
    return Table(f"{caption}; differences of accuracies in points", heads, tuple(rows), marked=frozenset(marked))


def _verdict(effect: Effect | None) -> str:
    """Whether luck alone explains an effect on the objective."""
    if effect is None or effect.too_few:
        return "not judged"
    return "clear" if effect.is_clear else "not clear"


def _effect_cells(attribute: Attribute, effect: Effect | None, metric: str) -> list[Cell]:
    """The value, what luck gives, p; of too few trials no value, which would look like one."""
    if effect is None:
        return [Cell(""), Cell(""), Cell("")]
    told = f"too few {effect.too_few}" if effect.too_few else _luck(attribute.is_category, effect, metric)
    if effect.too_few == "trials":
        return [Cell(""), text(told), Cell("")]
    in_points = attribute.is_category and is_part_of_one(metric)
    value = points(effect.value) if in_points else number(effect.value, "+.4f" if attribute.is_category else "+.2f")
    return [value, text(told), number(effect.p, ".3f")]
