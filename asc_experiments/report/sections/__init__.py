"""The sections of a report: what is said, and in which order, from what was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.study_setting import setting_in_words, setting_of
from asc_experiments.report.render.blocks import Chapter, Report, Section
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections.attributes import attributes_section
from asc_experiments.report.sections.calibration import calibration_section
from asc_experiments.report.sections.device_networks import device_networks_section
from asc_experiments.report.sections.devices import devices_section
from asc_experiments.report.sections.front import answer_section, choice_section
from asc_experiments.report.sections.kinds import kinds_section
from asc_experiments.report.sections.practice import cost_section, reproduce_section
from asc_experiments.report.sections.scores import everybody, scores_section
from asc_experiments.report.sections.search import front_section, search_section
from asc_experiments.report.sections.teachers import gain_section, size_section, teaching_section
from asc_experiments.report.sections.together import together
from asc_experiments.report.words import listed
from asc_experiments.tracking.client.records import NOTE
from asc_experiments.tracking.trials import QUESTION

_DESCRIPTION_CHARACTERS = 400
_UNFOLDED = ("answer", "scores")
"""What a page opens with; every other section is a line until it is unfolded."""


def chapter_of(findings: Findings) -> Chapter:
    """Every section of one study: the answer and everybody's scores, then the others, which a page shows folded."""
    sections: list[Section] = [answer_section(findings)]
    if findings.answer is not None:
        sections += [
            scores_section(findings),
            choice_section(findings),
            teaching_section(findings),
            devices_section(findings),
            device_networks_section(findings),
            gain_section(findings),
            kinds_section(findings),
            size_section(findings),
            attributes_section(findings),
            calibration_section(findings),
            front_section([findings.runs]),
            search_section(findings),
            cost_section(findings),
            reproduce_section(findings),
        ]
    shown = [section for section in sections if not section.is_empty or section is sections[0]]
    missing = tuple(f"{each.title.rstrip('?')}: {each.blocks[0]}" for each in sections if each not in shown)
    if missing:
        shown.append(Section("missing", "What this study does not show, and what would", (), missing, points_title=""))
    shown = [replace(section, folded=section.name not in _UNFOLDED) for section in shown]
    facts = setting_in_words(setting_of(findings.runs))
    table = None if findings.answer is None else everybody(findings)
    sections = list(map(_shortened, shown))
    return Chapter(findings.study, _description(findings), tuple(sections), facts, findings.heading, table)


def report_of(findings: Sequence[Findings], written: str = "") -> Report:
    """The report of one study, or of several side by side.

    Args:
        findings: of each study.
        written: by what and when, for the last line.
    """
    names = [each.study for each in findings]
    front = together(findings) if len(findings) > 1 else ()
    return Report(listed(names), front, tuple(map(chapter_of, findings)), written)


def _shortened(section: Section) -> Section:
    blocks = (block.shortened if isinstance(block, Table) else block for block in section.blocks)
    return replace(section, blocks=tuple(blocks))


def _description(findings: Findings) -> str:
    """The study's own description: its question; of studies of earlier versions the note begins with it."""
    tags = findings.runs.tags
    text = " ".join((tags.get(QUESTION) or tags.get(NOTE, "").partition("\n\n")[0]).split())
    return text if len(text) <= _DESCRIPTION_CHARACTERS else f"{text[: _DESCRIPTION_CHARACTERS - 1]}…"
