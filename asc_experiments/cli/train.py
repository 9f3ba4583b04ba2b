"""``asc teacher`` and ``asc student``: train one network, list the bank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asc_experiments.cli.options import Assignments, Json, Settings, print_facts, print_json, with_settings

teacher_app = typer.Typer(help="Train teachers and list those in the bank.", no_args_is_help=True)
student_app = typer.Typer(help="Train students.", no_args_is_help=True)

CorpusFolder = Annotated[Path, typer.Option("--corpus", metavar="DIR", help="The corpus folder.", show_default=False)]
Validation = Annotated[
    float,
    typer.Option(
        "--validation",
        help="Part of the training fold to hold out by location. Studies hold some out; 0 trains on the whole fold.",
        min=0.0,
        max=0.5,
    ),
]
Augment = Annotated[str, typer.Option(help="Device generalisation: none, dir, fms or dirfms.")]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs; the schedule is stretched with them (default: as published).")
]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and augmentation.", min=0)]


@teacher_app.command(
    "train",
    epilog="Example: asc teacher train --arch cp_resnet --corpus demo_corpus --augment dirfms --epochs 20",
)
@with_settings
def train_teacher(
    settings: Settings,
    arch: Annotated[str, typer.Option(help="cp_mobile, cp_resnet or passt.", show_default=False)],
    corpus: CorpusFolder,
    augment: Augment = "none",
    epochs: Epochs = None,
    seed: Seed = 0,
    validation: Validation = 0.0,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train a teacher, or find it in the bank if it was trained before."""
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill import TeacherBank

    recipe = _recipe({"arch": arch, "augment": augment, "epochs": epochs, "seed": seed}, assignments)
    bench = settings.workbench(corpus, ValidationSplit(fraction=validation))
    bench.responses_for(recipe)
    teacher = TeacherBank(bench.tracking).get(recipe, bench)
    facts = _facts(teacher.key, teacher.name, teacher.record.run_id, dict(teacher.metrics))
    _show(facts, f"teacher {teacher.name}", as_json)


@teacher_app.command("list", epilog="Example: asc teacher list --json")
@with_settings
def list_teachers(settings: Settings, as_json: Json = False) -> None:
    """List the teachers in the bank."""
    from rich.table import Table

    from asc_experiments.base.progress import show
    from asc_experiments.distill import TeacherBank
    from asc_experiments.report.text import percent

    teachers = TeacherBank(settings.tracking()).all()
    if as_json:
        print_json([_facts(t.key, t.name, t.record.run_id, dict(t.metrics)) for t in teachers])
        return
    table = Table(title=f"{len(teachers)} teachers", title_justify="left")
    for heading in ("key", "teacher", "overall", "real", "seen", "unseen", "DG", "held out"):
        table.add_column(heading, justify="left" if heading in ("key", "teacher") else "right", no_wrap=True)
    names = ["accuracy/overall", *(f"accuracy/group/{g}" for g in ("real", "seen", "unseen")), "device_generalization"]
    for t in teachers:
        held_out = f"{100 * t.split.fraction:.0f} %"
        table.add_row(t.key, t.name, *(percent(t.metrics.get(name)) for name in names), held_out)
    show(table)


@student_app.command(
    "train",
    epilog="Example: asc student train --corpus demo_corpus --teachers 1f3a,77c2 --set epochs=20",
)
@with_settings
def train_student(
    settings: Settings,
    corpus: CorpusFolder,
    teachers: Annotated[str, typer.Option(metavar="KEY[,KEY…]", help="Keys of teachers; none: labels only.")] = "",
    augment: Augment = "dirfms",
    epochs: Epochs = None,
    seed: Seed = 0,
    validation: Validation = 0.0,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train a CP-Mobile student on teachers' logits, or on labels alone. It holds out what its teachers held out."""
    from asc_experiments.distill.single import train_single_student

    values = {"arch": "cp_mobile", "augment": augment, "epochs": epochs, "seed": seed}
    distillation = _take(assignments, ("temperature", "label_weight"))
    recipe = _recipe(values, assignments, without=tuple(distillation))
    keys = [key.strip() for key in teachers.split(",") if key.strip()]
    tracking = settings.tracking()
    run_id, metrics = train_single_student(
        lambda split: settings.workbench(corpus, split, tracking), tracking, recipe, keys, distillation, validation
    )
    _show(_facts(None, recipe.name, run_id, metrics), f"student {recipe.name}", as_json)


def _recipe(values: dict[str, Any], assignments: list[str] | None, without: tuple[str, ...] = ()) -> Any:
    """The Recipe that options and ``--set`` describe; ``--set`` wins."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.base.yaml import parse_assignments
    from asc_experiments.training import make_recipe

    given = {key: value for key, value in values.items() if value is not None}
    given |= {key: value for key, value in parse_assignments(assignments or []).items() if key not in without}
    if "origin" in given:
        raise AscError("--set origin", "is no setting of a recipe", "remove it")
    return make_recipe(given.pop("arch"), given.pop("augment"), **given)


def _take(assignments: list[str] | None, keys: tuple[str, ...]) -> dict[str, Any]:
    from asc_experiments.base.yaml import parse_assignments

    return {key: value for key, value in parse_assignments(assignments or []).items() if key in keys}


def _facts(key: str | None, name: str, run_id: str, metrics: dict[str, float]) -> dict[str, Any]:
    return ({"key": key} if key else {}) | {"name": name, "run_id": run_id, "metrics": metrics}


def _show(facts: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    shown = {key: value for key, value in facts.items() if key != "metrics"}
    metrics = facts["metrics"]
    for name in sorted(metrics):
        if name.startswith(("accuracy/overall", "accuracy/group", "accuracy/device")):
            shown[name] = f"{100 * metrics[name]:.1f} %"
    shown["device_generalization"] = f"{100 * metrics['device_generalization']:.1f}"
    print_facts(shown, title)
