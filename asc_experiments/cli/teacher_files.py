"""``asc teacher export``, ``import`` and ``prune``: teachers that come, go elsewhere, or go for good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.networks import settings_from, show_network, teacher_facts
from asc_experiments.cli.options import (
    ARCH,
    Assignments,
    Augment,
    Json,
    NamingArchitectures,
    OfDevice,
    Seed,
    Settings,
    TrainSplitFile,
    Validation,
    echo,
    print_json,
    with_settings,
)
from asc_experiments.cli.teacher import Key

if TYPE_CHECKING:
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill import Teacher, TrainingContext
    from asc_experiments.distill.prune import Leftover, Verdict

_MB = 1_000_000
_LOGITS = (".npy", ".npz", ".csv", ".tsv", ".txt", ".parquet", ".pq")


def add_to(teacher: typer.Typer) -> None:
    """Add these commands to ``asc teacher``."""
    teacher.command("export", epilog="Example: asc teacher export 1f3a -o teachers/1f3a")(export)
    teacher.command(
        "import",
        cls=NamingArchitectures,
        epilog="Example: asc teacher import passt_dirfms_1.pt --arch passt --corpus tau2022 --augment dirfms --seed 1",
    )(import_)
    teacher.command("prune", epilog="Example: asc teacher prune --older-than 30 --keep 1f3a --yes")(prune)


@with_settings("workspace", "tracking_uri")
def export(
    settings: Settings,
    key: Key,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The new folder.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the exported teacher that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a teacher's network, logits and description into a folder that `asc teacher import` reads."""
    from asc_experiments.distill import TeacherBank
    from asc_experiments.distill.teacher_archive import export_teacher

    teacher = TeacherBank(settings.tracking()).named(key)
    export_teacher(teacher, output, force)
    if as_json:
        print_json(teacher_facts(teacher) | {"folder": str(output)})
    else:
        echo(f"teacher {teacher.key} {teacher.name} is in {output}; next, elsewhere: asc teacher import {output}")


@with_settings("workspace", "tracking_uri", "dirs")
def import_(
    settings: Settings,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="Weights (.pt, .safetensors), logits (.npy, .npz, .csv, .tsv, .parquet), or an exported folder.",
            show_default=False,
        ),
    ],
    arch: Annotated[str | None, typer.Option(help=ARCH, show_default=False)] = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="DIR", help="The corpus folder.", show_default=False)
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="A .pt or .safetensors file that holds logits.")] = False,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The clip name of each row, where the logits name none (default: meta.csv)."),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="The numbers are probabilities; their logarithm is taken.")
    ] = False,
    device: OfDevice = "",
    augment: Augment = "none",
    seed: Seed = 0,
    validation: Validation = 0.0,
    hold_out_devices: Annotated[
        str, typer.Option(metavar="DEVICE[,…]", help="Training devices that it was not trained on.")
    ] = "",
    train_split: TrainSplitFile = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Shown to people (default: the file's).")] = "",
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Import published weights, logits of any model, or an exported teacher. No code in a file is run.

    Weights are evaluated on every clip; --augment, --seed and --set say how they are believed to have been trained.
    Logits are matched by the names of clips (a column filename) and scenes. --validation, --hold-out-devices and
    --train-split say which clips the model was trained on.
    """
    of_logits = {"--clips": clips, "--probabilities": probabilities}
    told = {"--arch": arch, "--corpus": corpus, "--logits": logits, "--name": name, "--set": assignments} | of_logits
    told |= {"--device": device}
    trained_on = {"--validation": validation, "--hold-out-devices": hold_out_devices, "--train-split": train_split}
    if path.is_dir():
        _refuse(told | trained_on, "is told by an exported teacher itself")
        teacher = _import_folder(settings, path)
    else:
        is_of_logits = logits or path.suffix.lower() in _LOGITS
        if is_of_logits:
            _refuse(
                {"--arch": arch, "--set": assignments, "--device": device}, "says nothing of logits without a network"
            )
        else:
            _refuse(of_logits, "says nothing of weights")
        bench = _open(settings, path, corpus, _split(validation, hold_out_devices), train_split)
        if is_of_logits:
            teacher = _import_logits(bench, path, name, probabilities, clips)
        else:
            values = {"arch": arch, "augment": augment, "seed": seed} | settings_from(assignments)
            teacher = _import_weights(bench, path, values, name, device)
    show_network(teacher_facts(teacher), f"teacher {teacher.name}", as_json)


@with_settings("workspace", "tracking_uri")
def prune(
    settings: Settings,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY…]", help="Exactly these, also if used.", show_default=False),
    ] = None,
    unused: Annotated[bool, typer.Option("--unused", help="All that no student or trial learned from.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="Unused ones of that age, and checkpoints that nobody resumes.", min=0),
    ] = None,
    keep: Annotated[str, typer.Option(metavar="KEY[,KEY…]", help="Keys that stay.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Delete teachers that nobody learned from. A used one goes only if its key is given."""
    from asc_experiments.distill import TeacherBank
    from asc_experiments.distill import prune as pruning

    _check_wish(keys, unused, older_than)
    bank = TeacherBank(settings.tracking())
    kept = tuple(key.strip() for key in keep.split(",") if key.strip())
    verdicts = pruning.judge(bank, pruning.Wish(tuple(keys or ()), older_than or 0.0, kept))
    left = pruning.leftovers(settings.cache, older_than) if older_than is not None else []
    freed = sum(leftover.size for leftover in left)
    if yes:
        pruning.prune(bank, verdicts)
        freed = pruning.remove(settings.cache, left)
    if as_json:
        print_json({"deleted": yes, "freed_bytes": freed, **_prune_facts(verdicts, left)})
    else:
        _show_prune(verdicts, left, freed, yes)


def _check_wish(keys: list[str] | None, unused: bool, older_than: float | None) -> None:
    from asc_experiments.base.errors import AscError

    conditions = unused or older_than is not None
    if not keys and not conditions:
        raise AscError("asc teacher prune", "says nothing of what to prune", "give --unused, --older-than DAYS or keys")
    if keys and conditions:
        option = "--unused" if unused else "--older-than"
        raise AscError(option, "says nothing beside keys", "give either keys or conditions")


def _refuse(told: dict[str, Any], why: str) -> None:
    from asc_experiments.base.errors import AscError

    for option, value in told.items():
        if value:
            raise AscError(option, why, "omit it")


def _import_folder(settings: Settings, folder: Path) -> Teacher:
    from asc_experiments.distill import TeacherBank
    from asc_experiments.distill.teacher_archive import import_teacher, read_teacher_file

    read_teacher_file(folder)  # refuse before there is anything in the workspace
    return import_teacher(TeacherBank(settings.tracking()), folder, settings.cache)


def _split(fraction: float, devices: str) -> ValidationSplit:
    from asc_experiments.corpus import ValidationSplit

    names = [name.strip() for name in devices.split(",") if name.strip()]
    return ValidationSplit.parse({"fraction": fraction, "hold_out_devices": names}, "--hold-out-devices").normalised()


def _open(
    settings: Settings, path: Path, corpus: Path | None, split: ValidationSplit, train_split: Path | None
) -> TrainingContext:
    """The corpus that a file is of, with the clips that the model was trained on."""
    from asc_experiments.base.errors import AscError

    if not path.is_file():
        raise AscError(path, "no such file or folder", "give weights, logits, or an exported teacher")
    if corpus is None:
        raise AscError("--corpus", "is missing", "give the folder of the corpus that it was trained on")
    return settings.workbench_on(train_split, corpus, split)


def _import_weights(bench: TrainingContext, path: Path, values: dict[str, Any], name: str, device: str) -> Teacher:
    from asc_experiments.base.errors import AscError
    from asc_experiments.distill.external_teacher import import_network
    from asc_experiments.models import ARCHITECTURES

    if not values.get("arch"):
        raise AscError("--arch", "is missing", f"give {', '.join(ARCHITECTURES)}; or --logits if it holds logits")
    return import_network(bench, path, str(values.pop("arch")), values.pop("augment"), values, name, device)


def _import_logits(bench: TrainingContext, path: Path, name: str, probabilities: bool, clips: Path | None) -> Teacher:
    from asc_experiments.distill.external_teacher import import_logits

    return import_logits(bench, path, name, probabilities, clips)


def _prune_facts(verdicts: list[Verdict], left: list[Leftover]) -> dict[str, Any]:
    return {
        "teachers": [
            {"key": v.teacher.key, "name": v.teacher.name, "goes": v.goes, "reason": v.reason} for v in verdicts
        ],
        "checkpoints": [{"path": str(x.path), "bytes": x.size, "days": round(x.days, 2)} for x in left],
    }


def _show_prune(verdicts: list[Verdict], left: list[Leftover], freed: int, deleted: bool) -> None:
    from asc_experiments.report.render.table import Table, columns, text
    from asc_experiments.report.render.terminal import show_table

    going = sum(verdict.goes for verdict in verdicts)
    heads = ("key", "teacher", "", "why")
    rows = []
    for v in verdicts:
        absent = f" ({v.teacher.absent} is not installed)" if v.teacher.absent else ""
        cells = (v.teacher.key, v.teacher.name + absent, "goes" if v.goes else "stays", v.reason)
        rows.append(tuple(map(text, cells)))
    title = f"{going} of {len(verdicts)} teachers {'deleted' if deleted else 'would go'}"
    show_table(Table(title, columns(*heads, texts=heads), tuple(rows)))
    for leftover in left:
        echo(f"checkpoint {leftover.path.name}: {leftover.days:.1f} days old, {leftover.size / _MB:.1f} MB")
    echo(f"{freed / _MB:.1f} MB of the cache {'are' if deleted else 'would be'} freed")
    if not deleted and (going or left):
        typer.echo("nothing was deleted; the same command with --yes does it")
