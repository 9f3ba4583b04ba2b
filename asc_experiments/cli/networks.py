"""What ``asc teacher`` and ``asc student`` share: from options to a Recipe, from Scorecards to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asc_experiments.cli.options import print_facts, print_json

if TYPE_CHECKING:
    from asc_experiments.distill.teacher import TeacherRecord
    from asc_experiments.training import Recipe


def recipe_from(values: dict[str, Any], assignments: list[str] | None, without: tuple[str, ...] = ()) -> Recipe:
    """The Recipe that options and ``--set`` describe; ``--set`` wins."""
    from asc_experiments.training import make_recipe

    given = {key: value for key, value in values.items() if value is not None}
    given |= {key: value for key, value in settings_from(assignments).items() if key not in without}
    return make_recipe(given.pop("arch"), given.pop("augment"), **given)


def settings_from(assignments: list[str] | None) -> dict[str, Any]:
    """What ``--set`` says."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.base.yaml import parse_assignments

    values = parse_assignments(assignments or [])
    if "origin" in values:
        raise AscError("--set origin", "is no setting of a recipe", "remove it")
    return values


def teacher_facts(teacher: TeacherRecord) -> dict[str, Any]:
    """A teacher for JSON."""
    facts: dict[str, Any] = {"key": teacher.key, "name": teacher.name}
    if teacher.source:
        facts["imported"] = teacher.source
    if teacher.absent:
        facts["architecture_not_installed"] = teacher.absent
    return facts | {"run_id": teacher.record.run_id, "metrics": dict(teacher.metrics)}


def show_network(facts: dict[str, Any], title: str, as_json: bool) -> None:
    """Print a network's facts and the accuracies of its test Scorecard."""
    if as_json:
        print_json(facts)
        return
    from asc_experiments.metrics import ACCURACY, DEVICE, DG, GROUP, further_metrics, value_in_words

    metrics = facts["metrics"]
    shown = {key: value for key, value in facts.items() if key != "metrics"}
    accuracies = (str(ACCURACY), ACCURACY.of(GROUP).start, ACCURACY.of(DEVICE).start)
    for name in sorted(metrics):
        if name.startswith(accuracies):
            shown[name] = f"{100 * metrics[name]:.1f} %"
    if DG in metrics:
        shown[DG] = f"{100 * metrics[DG]:.1f}"
    for metric in further_metrics(metrics):
        shown[str(metric.key)] = value_in_words(str(metric.key), metrics[str(metric.key)])
    print_facts(shown, title)
