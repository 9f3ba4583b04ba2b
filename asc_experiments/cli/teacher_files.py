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
    Validation,
    echo,
    print_json,
    with_settings,
)
from asc_experiments.cli.teacher import Key

if TYPE_CHECKING:
    from asc_experiments.distill import Teacher
    from asc_experiments.distill.prune import Leftover, Verdict

_MB = 1_000_000


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
        typer.Argument(metavar="PATH", help="A .pt or .safetensors file, or an exported folder.", show_default=False),
    ],
    arch: Annotated[str | None, typer.Option(help=ARCH, show_default=False)] = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="DIR", help="The corpus folder.", show_default=False)
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="The file holds logits: a row per row of meta.csv.")] = False,
    device: OfDevice = "",
    augment: Augment = "none",
    seed: Seed = 0,
    validation: Validation = 0.0,
    name: Annotated[str, typer.Option(metavar="NAME", help="Shown to people (default: the file's).")] = "",
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Import published weights, logits alone, or an exported teacher. No code in a file is run.

    Weights are evaluated on every clip; --augment, --seed and --set say how they are believed to have been trained.
    """
    told = {"--arch": arch, "--corpus": corpus, "--logits": logits, "--name": name, "--set": assignments}
    told |= {"--device": device}
    if path.is_dir():
        _refuse(told | {"--validation": validation}, "is told by an exported teacher itself")
        teacher = _import_folder(settings, path)
    elif logits:
        _refuse({"--arch": arch, "--set": assignments, "--device": device}, "says nothing of logits without a network")
        teacher = _import_file(settings, path, corpus, validation, None, {}, name)
    else:
        values = {"arch": arch, "augment": augment, "seed": seed} | settings_from(assignments)
        teacher = _import_file(settings, path, corpus, validation, values.pop("arch"), values, name, device)
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


def _import_file(
    settings: Settings,
    path: Path,
    corpus: Path | None,
    validation: float,
    arch: str | None,
    values: dict[str, Any],
    name: str,
    device: str = "",
) -> Teacher:
    """Import weights, or logits where there are no values of a recipe."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill.external_teacher import import_logits, import_network
    from asc_experiments.models import ARCHITECTURES

    if not path.is_file():
        raise AscError(path, "no such file or folder", "give a .pt or .safetensors file, or an exported teacher")
    if corpus is None:
        raise AscError("--corpus", "is missing", "give the folder of the corpus that it was trained on")
    if values and not arch:
        raise AscError("--arch", "is missing", f"give {', '.join(ARCHITECTURES)}; or --logits if it holds logits")
    bench = settings.workbench(corpus, ValidationSplit(fraction=validation))
    if not values:
        return import_logits(bench, path, name)
    return import_network(bench, path, str(arch), values.pop("augment"), values, name, device)


def _prune_facts(verdicts: list[Verdict], left: list[Leftover]) -> dict[str, Any]:
    return {
        "teachers": [
            {"key": v.teacher.key, "name": v.teacher.name, "goes": v.goes, "reason": v.reason} for v in verdicts
        ],
        "checkpoints": [{"path": str(x.path), "bytes": x.size, "days": round(x.days, 2)} for x in left],
    }


def _show_prune(verdicts: list[Verdict], left: list[Leftover], freed: int, deleted: bool) -> None:
    from rich.table import Table

    from asc_experiments.base.progress import show

    going = sum(verdict.goes for verdict in verdicts)
    table = Table(
        title=f"{going} of {len(verdicts)} teachers {'deleted' if deleted else 'would go'}", title_justify="left"
    )
    for heading in ("key", "teacher", "", "why"):
        table.add_column(heading, no_wrap=heading != "why")
    for v in verdicts:
        absent = f" ({v.teacher.absent} is not installed)" if v.teacher.absent else ""
        table.add_row(v.teacher.key, v.teacher.name + absent, "goes" if v.goes else "stays", v.reason)
    show(table)
    for leftover in left:
        echo(f"checkpoint {leftover.path.name}: {leftover.days:.1f} days old, {leftover.size / _MB:.1f} MB")
    echo(f"{freed / _MB:.1f} MB of the cache {'are' if deleted else 'would be'} freed")
    if not deleted and (going or left):
        typer.echo("nothing was deleted; the same command with --yes does it")
