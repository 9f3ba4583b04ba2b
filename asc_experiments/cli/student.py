"""``asc student``: one student outside of any study, trained here or elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.networks import recipe_from, settings_from, show_network
from asc_experiments.cli.options import (
    ARCH,
    Assignments,
    Augment,
    CorpusFolder,
    Epochs,
    Json,
    NamingArchitectures,
    OfDevice,
    Seed,
    Settings,
    TrainSplitFile,
    Validation,
    with_settings,
)

if TYPE_CHECKING:
    from asc_experiments.distill.specialise import Specialisation

_SPECIALISE = "specialise."

app = typer.Typer(
    help="Train students, or import published ones.",
    epilog="Example: asc student train --corpus demo_corpus --teachers 1f3a,77c2",
    no_args_is_help=True,
)


@app.command(
    "train",
    epilog="Example: asc student train --corpus demo_corpus --teachers 1f3a,77c2 --set epochs=20",
)
@with_settings("workspace", "tracking_uri", "dirs", "log_to")
def train_student(
    settings: Settings,
    corpus: CorpusFolder,
    teachers: Annotated[str, typer.Option(metavar="KEY[,KEY…]", help="Keys of teachers; none: labels only.")] = "",
    augment: Augment = "dirfms",
    epochs: Epochs = None,
    seed: Seed = 0,
    validation: Validation = 0.0,
    train_split: TrainSplitFile = None,
    specialise: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICES",
            help="Fine-tune it for devices: known, or some, a,s1. --set specialise.epochs=20, … changes how.",
        ),
    ] = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train a CP-Mobile student on teachers' logits, or on labels alone. It holds out what its teachers held out."""
    from asc_experiments.distill.standalone_student import train_single_student
    from asc_experiments.training.losses import loss_settings

    values = {"arch": "cp_mobile", "augment": augment, "epochs": epochs, "seed": seed}
    given, distilling = settings_from(assignments), loss_settings()
    distillation = {key: value for key, value in given.items() if key in distilling}
    specialising = {key: value for key, value in given.items() if key.startswith(_SPECIALISE)}
    specialisation = _specialisation(
        specialise, {key.removeprefix(_SPECIALISE): value for key, value in specialising.items()}
    )
    recipe = recipe_from(values, assignments, without=(*distilling, *specialising))
    keys = [key.strip() for key in teachers.split(",") if key.strip()]
    tracking = settings.tracking()
    run_id, metrics = train_single_student(
        lambda split: settings.workbench_on(train_split, corpus, split, tracking),
        tracking,
        recipe,
        keys,
        distillation,
        validation,
        specialisation,
    )
    show_network({"name": recipe.name, "run_id": run_id, "metrics": metrics}, f"student {recipe.name}", as_json)


def _specialisation(devices: str | None, settings: dict[str, Any]) -> Specialisation | None:
    """How ``--specialise`` and ``--set specialise.…`` have a student fine-tuned for devices; None where they do not.

    Raises:
        AscError: naming each setting that there is not, or that has another value.
    """
    from asc_experiments.base.errors import AscError
    from asc_experiments.distill.specialise import KNOWN, Specialisation

    if devices is None:
        for name in settings:
            raise AscError(f"--set {_SPECIALISE}{name}", "needs devices to fine-tune for", "give --specialise known")
        return None
    names: Any = devices if devices == KNOWN else [name.strip() for name in devices.split(",")]
    return Specialisation.parse(settings | {"devices": names}, "--specialise")


@app.command(
    "import",
    cls=NamingArchitectures,
    epilog="Example: asc student import sys4.ckpt --arch cp_mobile_2024 --corpus tau2022 --augment fms --device a",
)
@with_settings("workspace", "tracking_uri", "dirs")
def import_(
    settings: Settings,
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .pt, .ckpt or .safetensors file.", show_default=False)
    ],
    corpus: CorpusFolder,
    arch: Annotated[str, typer.Option(help=ARCH, show_default=False)],
    device: OfDevice = "",
    augment: Augment = "none",
    seed: Seed = 0,
    validation: Validation = 0.0,
    name: Annotated[str, typer.Option(metavar="NAME", help="Shown to people (default: the file's).")] = "",
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Put a published network beside the students, evaluated on every clip. No code in a file is run.

    --augment, --seed and --set say how it is believed to have been trained.
    """
    from asc_experiments.base.errors import AscError
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill.external_teacher import import_student

    if not path.is_file():
        raise AscError(path, "no such file", "give a .pt, .ckpt or .safetensors file")
    values: dict[str, Any] = {"arch": arch, "augment": augment, "seed": seed} | settings_from(assignments)
    bench = settings.workbench(corpus, ValidationSplit(fraction=validation))
    how = values.pop("arch"), values.pop("augment"), values
    run_id, metrics = import_student(bench, path, *how, name, device)
    facts = {"name": name or "-".join(filter(None, (path.stem, device))), "run_id": run_id, "metrics": metrics}
    show_network(facts, f"student {facts['name']}", as_json)
