"""``asc teacher``: train teachers, list those in the bank, show one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.networks import recipe_from, show_network, teacher_facts
from asc_experiments.cli.options import (
    ARCH,
    Assignments,
    Augment,
    CorpusFolder,
    Epochs,
    Json,
    NamingArchitectures,
    Seed,
    Settings,
    TrainSplitFile,
    Validation,
    echo,
    ends_soon,
    print_facts,
    print_json,
    with_settings,
)

if TYPE_CHECKING:
    from asc_experiments.distill import Teacher
    from asc_experiments.report.render.table import Table

app = typer.Typer(
    help="Train teachers, and keep those in the bank.",
    epilog="Example: asc teacher train --arch cp_resnet --corpus demo_corpus --augment dirfms --epochs 20",
    no_args_is_help=True,
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The teacher's key, or its beginning.", show_default=False)]


@app.command(
    "train",
    cls=NamingArchitectures,
    epilog="Example: asc teacher train --arch cp_resnet --corpus demo_corpus --augment dirfms --epochs 20",
)
@with_settings("workspace", "tracking_uri", "dirs", "log_to")
def train_teacher(
    settings: Settings,
    arch: Annotated[str, typer.Option(help=ARCH, show_default=False)],
    corpus: CorpusFolder,
    augment: Augment = "none",
    epochs: Epochs = None,
    seed: Seed = 0,
    validation: Validation = 0.0,
    train_split: TrainSplitFile = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start from weights trained on AudioSet; passt only (345 MB, once).")
    ] = False,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train a teacher, or find it in the bank if it was trained before."""
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill import TeacherBank

    values = {"arch": arch, "augment": augment, "epochs": epochs, "seed": seed}
    recipe = recipe_from(values | {"pretrained": "audioset" if pretrained else None}, assignments)
    bench = settings.workbench_on(train_split, corpus, ValidationSplit(fraction=validation))
    bench.responses_for(recipe)
    teacher = TeacherBank(bench.tracking).get(recipe, bench)
    show_network(teacher_facts(teacher), f"teacher {teacher.name}", as_json)


@app.command("list", epilog="Example: asc teacher list --json")
@with_settings("workspace", "tracking_uri")
@ends_soon
def list_teachers(settings: Settings, as_json: Json = False) -> None:
    """List the teachers in the bank."""
    from asc_experiments.distill.bank import list_teachers as read_teachers
    from asc_experiments.metrics import DG, GROUP, OVERALL_ACCURACY, accuracy_of
    from asc_experiments.report.render.table import Table, columns, percent, text
    from asc_experiments.report.render.terminal import show_table
    from asc_experiments.report.words import counted

    teachers = read_teachers(settings)
    if as_json:
        print_json([teacher_facts(teacher) for teacher in teachers])
        return
    if not teachers:
        echo("no teacher yet: studies train them, and so does")
        echo(f"next: {settings.next('teacher', 'train', '--arch', 'cp_resnet', '--corpus', 'DIR')}")
        return
    names = [OVERALL_ACCURACY, *(accuracy_of(GROUP, group) for group in ("real", "seen", "unseen")), DG]
    heads = ("key", "teacher", "overall", "real", "seen", "unseen", "DG", "held out", "imported from")
    rows = tuple(
        (
            text(t.key),
            text(f"{t.name} ({t.absent} is not installed)" if t.absent else t.name),
            *(percent(t.metrics.get(name)) for name in names),
            text(f"{100 * t.split.fraction:.0f} %"),
            text(t.source),
        )
        for t in teachers
    )
    caption = f"{counted(len(teachers), 'teacher')}, accuracy in % on the test fold"
    show_table(Table(caption, columns(*heads, texts=("key", "teacher", "imported from")), rows))


@app.command("show", epilog="Example: asc teacher show 1f3a")
@with_settings("workspace", "tracking_uri")
def show_teacher(settings: Settings, key: Key, as_json: Json = False) -> None:
    """Show what a teacher is, how good it is on every device, and who learned from it."""
    from asc_experiments.distill import TeacherBank
    from asc_experiments.distill.usage import Usage
    from asc_experiments.report.render.terminal import show_table

    bank = TeacherBank(settings.tracking())
    teacher = bank.named(key)
    uses = Usage.read(bank.tracking).of.get(teacher.key, ())
    if as_json:
        used_by = [{"name": u.name, "experiment": u.experiment, "status": u.status, "run_id": u.run_id} for u in uses]
        print_json(teacher_facts(teacher) | _whereabouts(teacher) | {"used_by": used_by})
        return
    facts = {name: value for name, value in teacher_facts(teacher).items() if name != "metrics"} | _whereabouts(teacher)
    facts["recipe"] = [f"{name}={value}" for name, value in teacher.recipe.flat().items()] if teacher.recipe else "none"
    facts["number_format"] = teacher.number_format or "not known"
    facts["reference_device"] = teacher.reference_device or "none"
    facts["train_split"] = teacher.train_split or "none"
    facts["split"] = [f"{name}={value}" for name, value in facts["split"].items()]
    facts["used_by"] = [f"{use} ({use.status.lower()})" for use in uses] or "nobody"
    print_facts(facts, f"teacher {teacher.name}")
    show_table(_scorecards(teacher))


def _whereabouts(teacher: Teacher) -> dict[str, Any]:
    """What a teacher was made from, and where its files are."""
    from asc_experiments.distill.teacher import LOGITS
    from asc_experiments.tracking.trials import CORPUS

    return {
        "recipe": teacher.recipe.model_dump(mode="json") if teacher.recipe else None,
        "split": teacher.split.model_dump(mode="json"),
        "corpus": teacher.record.tags[CORPUS],
        "train_split": teacher.train_split,
        "number_format": teacher.number_format,
        "reference_device": teacher.reference_device,
        "logits": f"runs:/{teacher.record.run_id}/{LOGITS}",
        "model": f"models:/{teacher.model_id}" if teacher.model_id else None,
    }


def _scorecards(teacher: Teacher) -> Table:
    """Accuracies in percent, a row for each split that the teacher has logits for."""
    from asc_experiments.metrics import (
        ACCURACY,
        DEVICE,
        DG,
        GROUP,
        MACRO,
        VALIDATION,
        MetricKey,
        further_metrics,
    )
    from asc_experiments.report.render.table import Table, columns, score, text

    metrics = teacher.metrics
    keys = [ACCURACY, ACCURACY.of(MACRO), *(ACCURACY.of(GROUP, group) for group in ("real", "seen", "unseen"))]
    keys += [ACCURACY.of(DEVICE, device) for device in sorted(ACCURACY.of(DEVICE).members(metrics))]
    headings = {key: key.member or key.part for key in keys} | {MetricKey(DG, ""): "DG"}
    further = further_metrics(metrics)
    headings |= {metric.key: metric.title for metric in further}
    rows = tuple(
        (text(clips), *(score(str(key), metrics.get(str(key.on(prefix)))) for key in headings))
        for prefix, clips in (("", "test"), (VALIDATION, "held out"))
        if str(ACCURACY.on(prefix)) in metrics
    )
    units = {metric.title: metric.unit for metric in further}
    heads = columns("clips", *headings.values(), texts=("clips",), units=units)
    return Table("accuracy in %, and DG", heads, rows)
