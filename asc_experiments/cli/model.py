"""``asc register``, ``asc predict`` and ``asc model card``: ship a student and use it."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.options import Json, Settings, echo, ends_soon, print_facts, print_json, with_settings
from asc_experiments.cli.predictions import Confidence, Format, open_writer
from asc_experiments.cli.study import Name

if TYPE_CHECKING:
    from asc_experiments.submission import EvaluationSet
    from asc_experiments.tracking.registry.gates import Measured
    from asc_experiments.training import SceneNetwork

_GATES = "Gates"
_SHORTEST_STEP_S = 0.01
ModelUri = Annotated[
    str,
    typer.Argument(
        metavar="MODEL_URI", help="models:/NAME@ALIAS, models:/NAME/VERSION (or latest) or models:/MODEL_ID."
    ),
]


class Precision(StrEnum):
    """Of parameters: what bytes are counted at, or what is shipped."""

    int8 = "int8"
    float16 = "float16"
    float32 = "float32"


def add_to(root: typer.Typer) -> None:
    """Add these commands to the program."""
    example = "Example: asc register quickstart --alias champion --max-parameters 128000 --min-accuracy 0.55"
    root.command(epilog=example)(register)
    root.command(epilog="Example: asc predict models:/asc-student@champion recordings/ --format csv -o out.csv")(
        predict
    )
    model = typer.Typer(
        help="Look at registered models.",
        epilog="Example: asc model card models:/asc-student@champion > card.md",
        no_args_is_help=True,
    )
    model.command("card", epilog="Example: asc model card models:/asc-student@champion > card.md")(card)
    root.add_typer(model, name="model")


def _gate(help: str, **limits: Any) -> Any:
    return typer.Option(help=help, rich_help_panel=_GATES, show_default=False, **limits)


@with_settings("workspace", "tracking_uri")
@ends_soon
def register(
    settings: Settings,
    name: Name,
    model: Annotated[str, typer.Option(help="Name in the Model Registry.")] = "asc-student",
    alias: Annotated[
        str, typer.Option(help="Alias for this version. 'champion' moves only to what is better by more than noise.")
    ] = "champion",
    replace: Annotated[bool, typer.Option("--replace", help="Move 'champion' in any case.")] = False,
    allow_chance: Annotated[
        bool, typer.Option("--allow-chance", help="Register a student that does no better than guessing, too.")
    ] = False,
    max_parameters: Annotated[int | None, _gate("Most parameters.", min=1)] = None,
    max_macs: Annotated[int | None, _gate("Most MACs for one clip, counted by ptflops.", min=1)] = None,
    max_macs_torchinfo: Annotated[
        int | None, _gate("Most MACs for one clip, counted by torchinfo (DCASE, of 1 s: 30000000).", min=1)
    ] = None,
    max_bytes: Annotated[
        int | None,
        _gate("Most bytes of the parameters alone, as if stored at --precision (DCASE: 128000).", min=1),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(help="For --max-bytes: 1, 2 or 4 bytes each; registered are float32.", rich_help_panel=_GATES),
    ] = Precision.int8,
    min_accuracy: Annotated[float | None, _gate("Least accuracy on the test fold, from 0 to 1.")] = None,
    min_unseen: Annotated[float | None, _gate("Least accuracy on its unseen devices, from 0 to 1.")] = None,
    max_dg: Annotated[float | None, _gate("Largest standard deviation over its devices, from 0 to 1.")] = None,
    gate: Annotated[
        list[str] | None,
        _gate(
            "Limit of any metric on the test fold, those of other packages too: the least where higher is better, else "
            "the most. May be given several times, such as --gate accuracy/device/s6=0.5 --gate loss/overall=1.2.",
            metavar="METRIC=LIMIT",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register the best trial's student, with a model card.

    Gates are measured on the network that is shipped, one of the trial's students.
    If one fails, nothing is registered, and the exit code is 1.

    The champion stays, and the new student becomes 'challenger', unless that is
    better by more than noise in the studies' objective on the test fold: the 95 %
    interval over places and students is above 0, and allows for the challenger
    having been picked among its study's trials. One student tells nothing of noise.

    A student at chance, or with one answer for everything, is refused.
    """
    from asc_experiments.metrics import DG, OVERALL_ACCURACY, UNSEEN_ACCURACY
    from asc_experiments.tracking.registry.gates import Gates, GatesFailedError, limits_of
    from asc_experiments.tracking.registry.registration import register_best

    limits = limits_of(gate or (), {OVERALL_ACCURACY: min_accuracy, UNSEEN_ACCURACY: min_unseen, DG: max_dg})
    gates = Gates(max_parameters, max_macs, max_bytes, limits, precision.value, max_macs_torchinfo)
    try:
        found = register_best(
            settings.tracking(),
            name,
            model,
            alias,
            gates=gates,
            replace=replace,
            allow_chance=allow_chance,
            cache=settings.cache,
        )
    except GatesFailedError as failed:
        if as_json:
            told = [_facts(each) for each in failed.measured]
            print_json({"registered": False, "gates": told, "warning": failed.warning})
        else:
            _show_measured(failed.measured, f"{failed.where}: nothing was registered", failed.warning)
        raise typer.Exit(1) from None
    facts = {key: getattr(found, key) for key in ("model", "version", "alias", "trial")}
    facts |= {"new": found.is_new, "uri": found.uri, "decision": found.decision, "learned": found.learned}
    facts |= {"winner": found.winner} | ({"teaching": found.teaching} if found.teaching else {})
    facts |= {"warning": found.warning} if as_json else {}
    if as_json:
        more = {"doubts": list(found.doubts), "gates": [_facts(each) for each in found.measured]}
        print_json(facts | more | {"tags": dict(found.tags)})
        return
    print_facts(facts | {f"doubt {n}": doubt for n, doubt in enumerate(found.doubts, 1)}, f"student of {name}")
    _show_measured(found.measured, "the network that is shipped, on the test fold", found.warning)
    if found.alias != alias:
        command = settings.next("register", name, "--model", model, "--replace")
        echo(f"{command} makes version {found.version} champion")
    echo(f"next: {settings.next('predict', found.uri, 'FOLDER')}")


def _facts(measured: Measured) -> dict[str, Any]:
    return asdict(measured) | {"passed": measured.passed}


def _show_measured(measured: tuple[Measured, ...], title: str, warning: str) -> None:
    """Print what was measured on the network, what the trial's students reached, and the gates; those failed first.

    Args:
        measured: its properties.
        title: of the table.
        warning: what must stand beside them; empty for nothing.
    """
    from asc_experiments.report.render.table import Table, columns, text
    from asc_experiments.report.render.terminal import show_table
    from asc_experiments.tracking.registry.gates import interval_in_words

    picked_from = max(each.picked_from for each in measured)
    heading = "95 % interval" if picked_from < 2 else "interval *"
    if warning:
        echo(warning)
    rows = []
    for each in sorted(measured, key=lambda each: each.passed):
        mean = each.shown(each.mean) + ("" if each.std is None else f" ± {each.shown(each.std)}")
        verdict = "" if each.limit is None else "passed" if each.passed else "FAILED"
        cells = (each.name, each.shown(each.value), each.interval, mean, each.limit_shown, verdict)
        rows.append(tuple(map(text, cells)))
    heads = columns("", "this network", heading, "trial: mean ± std", "limit", "", texts=("",))
    if all(each.limit is None for each in measured):
        heads, rows = heads[:-2], [row[:-2] for row in rows]
    show_table(Table(title, heads, tuple(rows)))
    if picked_from > 1:
        echo(f"* {interval_in_words(picked_from)}")
    for each in measured:
        if each.basis:
            echo(f"{each.name}: {each.basis}")


@with_settings("workspace", "tracking_uri")
def predict(
    settings: Settings,
    model_uri: ModelUri,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Sound files, or folders of them.")],
    format: Annotated[
        Format,
        typer.Option(help="table: scene, probability, file; csv and jsonl: everything; dcase: of an evaluation set."),
    ] = Format.table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write (default: standard output).")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="An answer, with its times, per window begun every TIME, say 1s."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="The device that recorded all of them, for a model with networks for devices.")
    ] = None,
    device_from: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Where the device stands in a path: what the group of this matches."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Say of sound files of any length and sampling rate which scene they are; exit code 2 if one cannot be read."""
    from asc_experiments.base.progress import progress, say
    from asc_experiments.metrics import OVERALL_ECE
    from asc_experiments.tracking.registry.network_store import fetch_network, measured_on_test
    from asc_experiments.training.inference import classify_along, classify_files, find_sound_files, left_out
    from asc_experiments.training.recording_devices import read_devices

    if as_json:
        format = Format.jsonl
    if format is Format.dcase:
        _predict_evaluation(settings, model_uri, paths, output, (every, device, device_from))
        return
    step = None if every is None else _step(every)
    files, others = find_sound_files(paths)
    if others:
        say(left_out(others))
    tracking = settings.tracking()
    network = fetch_network(tracking, model_uri)
    device_of = read_devices(network, model_uri, device, device_from)
    ece = measured_on_test(tracking, model_uri, OVERALL_ECE) if format is Format.table else None
    confidence = Confidence(len(network.scenes), ece)
    broken = 0
    with (
        open_writer(format, network.scenes, output, timed=step is not None) as write,
        progress(len(files), "predicting", "files") as advance,
    ):
        classified = (
            classify_files(network, files, device_of)
            if step is None
            else classify_along(network, files, step, device_of)
        )
        for found in classified:
            if found.error:
                broken += 1
                say(f"error: {found.path}: {found.error}")
            else:
                write(found)
                confidence.count(found)
            advance(int(found.is_last))
    if told := device_of.told(len(files)):
        say(told)
    for line in confidence.told() if format is Format.table else ():
        say(line)
    if broken:
        say(f"{broken} of {len(files)} files could not be read")
        raise typer.Exit(2)


def _predict_evaluation(
    settings: Settings, model_uri: str, paths: list[Path], output: Path | None, others: tuple[str | None, ...]
) -> None:
    """Answer for an evaluation set in DCASE's own format; its table says which device recorded what, if anything."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.submission import EvaluationSet
    from asc_experiments.tracking.registry.network_store import fetch_network

    if len(paths) != 1 or output is None:
        remedy = "asc predict MODEL_URI EVALUATION_DIR --format dcase -o output.csv"
        raise AscError("--format dcase", "takes one folder of an evaluation set, and -o", remedy)
    if any(each is not None for each in others):
        raise AscError("--every, --device and --device-from", "say nothing of an evaluation set", "omit them")
    evaluation = EvaluationSet.open(paths[0])
    answer_evaluation(fetch_network(settings.tracking(), model_uri), evaluation, output)


def answer_evaluation(network: SceneNetwork, evaluation: EvaluationSet, output: Path) -> None:
    """Write what a network says of an evaluation set, with the time that is left."""
    from collections.abc import Iterator

    from asc_experiments.base.progress import progress
    from asc_experiments.submission import write_output
    from asc_experiments.training.inference import Prediction, classify_files

    with progress(len(evaluation.filenames), f"predicting {output.name}", "files") as advance:

        def answers() -> Iterator[Prediction]:
            for found in classify_files(network, evaluation.paths, evaluation.device_of):
                yield found
                advance(1)

        write_output(output, evaluation, network.scenes, answers())
    known = sum(device in network.of_devices for device in evaluation.devices)
    by_device = f", {known:,} by the networks of their devices" if network.of_devices else ""
    echo(f"{output}: {len(evaluation.filenames):,} files answered for{by_device}")


def _step(text: str) -> float:
    """The seconds from one window to the next.

    Raises:
        AscError: if that is none.
    """
    from asc_experiments.base.durations import parse_duration
    from asc_experiments.base.errors import AscError

    seconds = parse_duration(text, "--every")
    if seconds < _SHORTEST_STEP_S:
        raise AscError(f"--every {text}", f"is less than {_SHORTEST_STEP_S:g} s", "give, for example, 1s")
    return seconds


@with_settings("workspace", "tracking_uri")
@ends_soon
def card(settings: Settings, model_uri: ModelUri) -> None:
    """Print a registered model's card, Markdown."""
    from asc_experiments.tracking.registry.registration import stored_card

    typer.echo(stored_card(settings.tracking(), model_uri), nl=False)
