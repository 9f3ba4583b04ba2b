"""``asc student``: train one student outside of any study."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_experiments.cli.networks import recipe_from, settings_from, show_network
from asc_experiments.cli.options import (
    Assignments,
    Augment,
    CorpusFolder,
    Epochs,
    Json,
    Seed,
    Settings,
    TrainSplitFile,
    Validation,
    with_settings,
)

app = typer.Typer(
    help="Train students.",
    epilog="Example: asc student train --corpus demo_corpus --teachers 1f3a,77c2",
    no_args_is_help=True,
)


@app.command(
    "train",
    epilog="Example: asc student train --corpus demo_corpus --teachers 1f3a,77c2 --set epochs=20",
)
@with_settings("workspace", "tracking_uri", "dirs")
def train_student(
    settings: Settings,
    corpus: CorpusFolder,
    teachers: Annotated[str, typer.Option(metavar="KEY[,KEY…]", help="Keys of teachers; none: labels only.")] = "",
    augment: Augment = "dirfms",
    epochs: Epochs = None,
    seed: Seed = 0,
    validation: Validation = 0.0,
    train_split: TrainSplitFile = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train a CP-Mobile student on teachers' logits, or on labels alone. It holds out what its teachers held out."""
    from asc_experiments.distill.standalone_student import train_single_student

    values = {"arch": "cp_mobile", "augment": augment, "epochs": epochs, "seed": seed}
    distilling = ("temperature", "label_weight")
    distillation = {key: value for key, value in settings_from(assignments).items() if key in distilling}
    recipe = recipe_from(values, assignments, without=distilling)
    keys = [key.strip() for key in teachers.split(",") if key.strip()]
    tracking = settings.tracking()
    run_id, metrics = train_single_student(
        lambda split: settings.workbench_on(train_split, corpus, split, tracking),
        tracking,
        recipe,
        keys,
        distillation,
        validation,
    )
    show_network({"name": recipe.name, "run_id": run_id, "metrics": metrics}, f"student {recipe.name}", as_json)
