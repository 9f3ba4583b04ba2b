"""Everything that a report says of one study, computed once: for a page, for tables, for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from asc_experiments.metrics import ENSEMBLE, OVERALL_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.report.analysis.best_trial import Answer, answer_of, ship_commands
from asc_experiments.report.analysis.comparison import Comparison, compare_runs
from asc_experiments.report.analysis.compute_cost import Costs, costs_of
from asc_experiments.report.analysis.confounders import Differences, student_differences, teacher_differences
from asc_experiments.report.analysis.distillation_gain import Gain, gains_of
from asc_experiments.report.analysis.next_commands import Command, student_command, teacher_command
from asc_experiments.report.analysis.pareto import accuracy_against_macs
from asc_experiments.report.analysis.question import question_facts
from asc_experiments.report.analysis.study_setting import setting_facts, setting_of
from asc_experiments.report.analysis.teacher_attributes import Attribute, rank_attributes, teaching_effect
from asc_experiments.report.analysis.teacher_design import Design
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.statistics import learning_of
from asc_experiments.statistics.importances import Importances
from asc_experiments.statistics.permutation import Effect
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.trials import IMPORTANCES, OBJECTIVE_VALUE, keys_of, searched_of


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found.

    Attributes:
        runs: what it is computed from.
    """

    runs: StudyRuns

    @property
    def study(self) -> str:
        """The study's name."""
        return self.runs.name

    @cached_property
    def comparison(self) -> Comparison:
        """Students, teachers and published figures side by side."""
        return compare_runs(self.runs)

    @cached_property
    def answer(self) -> Answer | None:
        """The best trial and how far to trust it; None where no trial has finished."""
        return answer_of(self.runs, self.gains)

    @cached_property
    def heading(self) -> str:
        """The answer in a sentence, as sure as the study is."""
        if self.answer is None:
            return "No trial has finished"
        from asc_experiments.report.analysis.headline import headline  # whose package is made from findings

        return headline(self.answer)

    def note_of(self, trial: RunRecord) -> str:
        """What must be known of a trial beside its figures, in short; empty where nothing is to be said."""
        answer = self.answer
        if answer is None:
            return ""
        table = self.runs.standing(trial).evidence if self._is_read(trial) else None
        if table is not None and learning_of(table).is_at_chance:
            return "cannot be told from guessing"
        if trial.run_id == answer.trial.run_id:
            return self.heading
        rival = next((rival for rival in answer.lead.rivals if rival.number == number_of(trial)), None)
        if rival is not None:
            return f"cannot be told apart from trial {answer.number}"
        return "" if self._is_read(trial) else f"not compared with trial {answer.number}"

    def _is_read(self, trial: RunRecord) -> bool:
        """Whether a trial's answers were looked at."""
        return self.runs.keeps_evidence and trial in (*self.runs.compared, *self.runs.again)

    @cached_property
    def taught(self) -> tuple[RunRecord, ...]:
        """The finished trials that have teachers, best first."""
        return tuple(trial for trial in self.runs.best_first if keys_of(trial))

    def against_ensemble(self, metric: str) -> tuple[list[RunRecord], Effect | None]:
        """The taught trials with an accuracy of student and ensemble, and how the two go together beyond luck.

        Args:
            metric: which accuracy: overall, or on unseen devices.
        """
        names = (f"{ENSEMBLE}/{metric}", metric)
        trials = [trial for trial in self.taught if all(name in trial.metrics for name in names)]
        return trials, teaching_effect(self.design, metric)

    @cached_property
    def gains(self) -> list[Gain]:
        """What teachers give each student over labels alone."""
        return gains_of(self.runs)

    @cached_property
    def teacher_differences(self) -> Differences:
        """What the teachers differ in besides what their names say."""
        return teacher_differences(self.runs)

    @cached_property
    def student_differences(self) -> Differences:
        """What the students differ in besides what their table says."""
        return student_differences(self.runs)

    @cached_property
    def design(self) -> Design:
        """What the trials share."""
        return Design(self.runs)

    @cached_property
    def attributes(self) -> list[Attribute]:
        """What makes a good teacher here, the strongest first."""
        return rank_attributes(self.design)

    @cached_property
    def costs(self) -> Costs:
        """What the study cost."""
        return costs_of([self.runs])

    @cached_property
    def importances(self) -> Importances | None:
        """How much each parameter decides the objective, by two methods; None where that was not logged."""
        return Importances.from_text(self.runs.tags.get(IMPORTANCES, ""))

    @cached_property
    def searched(self) -> dict[str, list[Any]]:
        """The value of each searched parameter in each finished trial, by number; None where a trial has it not."""
        params = [searched_of(trial) for trial in self.runs.trials]
        names = dict.fromkeys(name for each in params for name in each)
        return {name: [each.get(name) for each in params] for name in names}

    @cached_property
    def student_commands(self) -> list[tuple[RunRecord, Command]]:
        """How to train each trial's student again, best first."""
        return [(trial, student_command(self.runs, trial)) for trial in self.runs.best_first]

    @cached_property
    def teacher_commands(self) -> list[tuple[str, RunRecord, Command]]:
        """How to train each teacher again, with its key."""
        return [(key, run, teacher_command(run)) for key, run in self.runs.teachers.items()]

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        runs, answer = self.runs, self.answer
        return self.comparison.facts() | {
            "setting": setting_facts(setting_of(runs)),
            "device_groups": dict(runs.group_of),
            "trials": {
                "finished": len(runs.finished),
                "distinct": len(runs.trials),
                "pruned": len(runs.pruned),
                "failed": len(runs.failed),
                "running": runs.progress.running,
                "asked": runs.progress.asked or None,
                "is_over": runs.progress.is_over,
            },
            "answer": None if answer is None else _answer_facts(answer, self.study, self.heading),
            "teacher_against_student": {
                name: _effect_facts(self.against_ensemble(metric)[1])
                for name, metric in (("overall", OVERALL_ACCURACY), ("unseen", UNSEEN_ACCURACY))
            },
            "question": question_facts(runs),
            "gains": [asdict(gain) for gain in self.gains],
            "differences": {
                "teachers": self.teacher_differences.facts(),
                "students": self.student_differences.facts(),
            },
            "attributes": [_attribute_facts(each) for each in self.attributes],
            "attributes_from": self.design.facts(),
            "importances": None if self.importances is None else self.importances.facts(),
            "history": _history(self),
            "costs": _cost_facts(self.costs),
            "metrics": self._metrics(),
            "commands": self._commands(),
        }

    def _metrics(self) -> dict[str, Mapping[str, float]]:
        """Every metric of every trial and teacher, by run id."""
        return {run.run_id: dict(run.metrics) for run in (*self.runs.best_first, *self.runs.teachers.values())}

    def _commands(self) -> dict[str, Any]:
        students = {f"trial {number_of(trial)}": asdict(command) for trial, command in self.student_commands}
        return {"students": students, "teachers": {key: asdict(each) for key, _, each in self.teacher_commands}}


def facts_of(findings: Sequence[Findings]) -> dict[str, Any]:
    """For JSON: of one study its own facts, of several a list, and what they have together."""
    if len(findings) == 1:
        return findings[0].facts()
    runs = [each.runs for each in findings]
    return {
        "studies": [each.facts() for each in findings],
        "accuracy_against_macs": [asdict(student) for student in accuracy_against_macs(runs)],
        "costs": _cost_facts(costs_of(runs)),
    }


def _answer_facts(answer: Answer, study: str, heading: str) -> dict[str, Any]:
    judged = answer.judgement
    return {
        "headline": heading,
        "has_learned": answer.has_learned,
        "learning": None if judged.learning is None else asdict(judged.learning),
        "teachers_at_chance": list(judged.teachers_at_chance),
        "targets_uniform": judged.targets_uniform,
        "guessing": asdict(answer.guessing),
        "objective_clips": None if answer.clips is None else asdict(answer.clips) | {"note": answer.clips.note},
        "dg_floor": answer.dg_floor,
        "trial": answer.number,
        "run_id": answer.trial.run_id,
        "taught_by": answer.taught_by,
        "teachers": list(answer.keys),
        "objective": asdict(answer.objective),
        "lead": {
            "is_clear": answer.lead.is_clear,
            "others": answer.lead.others,
            "left_out": answer.lead.left_out,
            "ties": answer.lead.ties,
            "metric": answer.lead.metric,
            "unknown": answer.lead.unknown,
            "rivals": [asdict(rival) for rival in answer.lead.rivals],
            "teaching": answer.lead.worth.name.lower(),
        },
        "scores": {name: asdict(score) for name, score in answer.scores.items()},
        "fresh": {name: asdict(score) for name, score in answer.fresh.items()},
        "difference": None if answer.difference is None else asdict(answer.difference),
        "parameters": answer.parameters,
        "macs": answer.macs,
        "macs_torchinfo": answer.macs_torchinfo,
        "seconds": answer.costs.winner,
        "model": answer.model,
        "caveats": list(answer.caveats),
        "commands": list(ship_commands(study)),
    }


def _effect_facts(effect: Effect | None) -> dict[str, Any] | None:
    return None if effect is None else asdict(effect) | {"is_clear": effect.is_clear}


def _attribute_facts(attribute: Attribute) -> dict[str, Any]:
    return {
        "name": attribute.name,
        "names": list(attribute.names),
        "is_category": attribute.is_category,
        "on_objective": _effect_facts(attribute.on_objective),
        "on_unseen": _effect_facts(attribute.on_unseen),
    }


def _cost_facts(costs: Costs) -> dict[str, Any]:
    return {"seconds": costs.seconds, "found_in_bank": costs.found, "parts": [asdict(part) for part in costs.parts]}


def _history(findings: Findings) -> list[dict[str, Any]]:
    """Every trial's number, end and objective; those without a value were pruned or failed."""
    runs = findings.runs
    rows = [
        {"trial": number_of(t), "state": "finished", "objective": t.metrics[OBJECTIVE_VALUE]} for t in runs.finished
    ]
    for state, trials in (("pruned", runs.pruned), ("failed", runs.failed)):
        rows += [{"trial": number_of(t), "state": state, "error": t.tags.get(ERROR, "")} for t in trials]
    return sorted(rows, key=lambda row: row["trial"])
