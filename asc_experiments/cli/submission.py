"""``asc submit``: what a DCASE challenge asks for, made of a model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.model import Precision, answer_evaluation
from asc_experiments.cli.options import Json, Settings, echo, print_facts, print_json, with_settings

if TYPE_CHECKING:
    from asc_experiments.corpus import Corpus
    from asc_experiments.submission import Label, Packed
    from asc_experiments.tracking import RunRecord
    from asc_experiments.training import SceneNetwork


class Challenge(StrEnum):
    """Which year's."""

    dcase2024 = "dcase2024"
    dcase2025 = "dcase2025"


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    example = "asc submit models:/asc-student@champion --challenge dcase2025 --name Lastname_INST_task1 -o submission"
    root.command(epilog=f"Example: {example}")(submit)


@with_settings("workspace", "tracking_uri")
def submit(
    settings: Settings,
    model_uris: Annotated[
        list[str], typer.Argument(metavar="MODEL_URI…", help="One model; for dcase2024 one for each list of clips.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="Lastname_INST_task1.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The new folder.", show_default=False)],
    challenge: Annotated[Challenge, typer.Option(help="Which challenge's rules.")] = Challenge.dcase2025,
    index: Annotated[int, typer.Option(help="Which of your submissions, 1 to 4.")] = 1,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The development set: its test fold goes into the package.")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", metavar="DIR", help="The evaluation set; dcase2024 needs it.")
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="dcase2024: 'Lastname, Firstname, e-mail, affiliation'; repeat it."),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Of the parameters (default: the finest that fits into 128,000 bytes).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a submission to a DCASE challenge, within its limits as the organisers count them.

    dcase2025: an installable inference package. dcase2024: the system outputs for
    the evaluation set, and the meta file with what people have to write marked.
    """
    from asc_experiments.base.errors import AscError
    from asc_experiments.submission import Label

    label = Label(name, index)
    if output.exists():
        raise AscError(output, "is there already", "give the name of a new folder")
    if challenge is Challenge.dcase2025:
        refused = {"--eval": evaluation, "--author": author}
        for option in (option for option, value in refused.items() if value):
            raise AscError(option, "is of dcase2024", "omit it: the organisers run the package themselves")
        if len(model_uris) != 1:
            raise AscError("dcase2025", "takes one model", "give networks for devices in one: specialise: known")
        facts = _package(settings, model_uris[0], label, output, corpus, precision)
    else:
        facts = _outputs(settings, model_uris, label, output, evaluation, author or [], precision)
    if as_json:
        print_json(facts)
        return
    print_facts(facts, f"{label} for {challenge}")


def _package(
    settings: Settings, model_uri: str, label: Label, output: Path, corpus: Path | None, precision: Precision | None
) -> dict[str, Any]:
    from asc_experiments.corpus import Corpus
    from asc_experiments.submission import write_package
    from asc_experiments.tracking.registry.network_store import fetch_network

    opened = None if corpus is None else Corpus.open(corpus)
    network = fetch_network(settings.tracking(), model_uri)
    packed = _packed(network, precision)
    _check_scenes(opened, network)
    write_package(packed, label, output, model_uri, opened)
    folder = output if output.is_absolute() else f"./{output}"  # a bare name would be one of an index's packages
    echo(f"next: pip install {folder}, and the organisers' test_complexity.py and evaluate_submission.py")
    return _facts(packed) | {"devices": ", ".join(packed.model.devices) or "one network for all", "folder": str(output)}


def _outputs(
    settings: Settings,
    model_uris: list[str],
    label: Label,
    output: Path,
    evaluation: Path | None,
    authors: list[str],
    precision: Precision | None,
) -> dict[str, Any]:
    from asc_experiments.base.errors import AscError
    from asc_experiments.submission import Author, EvaluationSet, check_length, write_meta
    from asc_experiments.submission.meta import SPLITS
    from asc_experiments.tracking.registry.network_store import fetch_network

    if evaluation is None:
        raise AscError("--eval", "is missing", "give the folder of the evaluation set")
    named, opened = [Author.parse(each) for each in authors], EvaluationSet.open(evaluation)
    tracking = settings.tracking()
    networks = {uri: fetch_network(tracking, uri) for uri in model_uris}
    for network in networks.values():
        check_length(network)
    systems = _systems(settings, model_uris)
    packed = _packed(networks[model_uris[0]], precision)
    inner = output / "task1" / str(label)  # as the organisers' validator takes it in a ZIP file
    inner.mkdir(parents=True)
    for split, (uri, _) in systems.items():
        answer_evaluation(networks[uri], opened, inner / f"{label}.output.split_{split}.csv")
    runs = {split: run for split, (_, run) in systems.items()}
    to_write = write_meta(inner / f"{label}.meta.yaml", label, named, packed, runs)
    for place in to_write:
        echo(f"to be written by you, in {label}.meta.yaml: {place}")
    if missing := [split for split in SPLITS if split not in systems]:
        echo(f"the challenge wants a system for each list of clips; there is none for {', '.join(missing)} %")
    return _facts(packed) | {"lists": ", ".join(f"{split} %" for split in systems), "folder": str(output)}


def _systems(settings: Settings, model_uris: list[str]) -> dict[str, tuple[str, RunRecord]]:
    """The models by the percentage of clips that they were trained on, with the runs that made them."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.edge.origin import Origin
    from asc_experiments.submission.meta import SPLITS
    from asc_experiments.tracking.trials import TRAIN_SPLIT

    tracking = settings.tracking()
    found: dict[str, tuple[str, RunRecord]] = {}
    for uri in model_uris:
        run = Origin.of(tracking, uri).run
        if run is None:
            raise AscError(uri, "its run is gone, and with it what it reached", "give another model")
        split = run.tags.get(TRAIN_SPLIT, "split100").removeprefix("split")
        if split not in SPLITS:
            raise AscError(uri, f"was trained on the list '{split}'", f"the challenge has {', '.join(SPLITS)} %")
        if split in found:
            raise AscError(uri, f"was trained on {split} % of the clips, as {found[split][0]} was", "give one of each")
        found[split] = (uri, run)
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _packed(network: SceneNetwork, precision: Precision | None) -> Packed:
    from asc_experiments.submission import pack

    return pack(network, None if precision is None else precision.value)


def _check_scenes(corpus: Corpus | None, network: SceneNetwork) -> None:
    from asc_experiments.base.errors import AscError

    if corpus is not None and corpus.scenes != network.scenes:
        raise AscError(corpus.root, "has other scenes than the model", "give the corpus that it was trained on")


def _facts(packed: Packed) -> dict[str, Any]:
    return {"precision": packed.precision, "bytes": packed.bytes, "macs": packed.macs}
