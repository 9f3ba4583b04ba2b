"""``asc corpus``: make, fetch, import, check and prepare corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, TrainSplitFile, echo, print_facts, print_json, with_settings

app = typer.Typer(
    help="Make, fetch, import, check and prepare corpora.",
    epilog="Example: asc corpus synth demo_corpus",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The corpus folder.", show_default=False)]
_FOR_A_LAPTOP = 5_000
"""Clips of a corpus of which the shipped search is planned at its small scale."""


@app.command(epilog="Example: asc corpus synth demo_corpus --clips-per-scene 60 --seed 0")
@with_settings()
def synth(
    settings: Settings,
    folder: Folder,
    clips_per_scene: Annotated[int, typer.Option(help="Training and test clips of each scene.")] = 60,
    seed: Annotated[int, typer.Option(help="Decides every sample.", min=0)] = 0,
    label_noise: Annotated[float, typer.Option(help="Part of the training clips whose labels are wrong.")] = 0.0,
) -> None:
    """Write a synthetic corpus: ten scenes, nine devices, three of them never trained on."""
    from asc_experiments.corpus.synth import synthesise

    clips = synthesise(folder, clips_per_scene, seed, label_noise)
    echo(f"wrote {clips} clips to {folder}; next: {settings.next('corpus', 'check', folder)}")


@app.command(epilog="Example: asc corpus fetch tau2022-mobile /data/tau2022")
@with_settings("workspace")
def fetch(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which corpus: tau2022-mobile.", show_default=False)],
    folder: Folder,
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="A folder with the same archives (default: Zenodo).")
    ] = None,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep each archive once unpacked.")] = False,
) -> None:
    """Download and unpack a published corpus. Interrupted, the same command resumes where it was."""
    from asc_experiments.corpus.fetch import fetch_corpus, published_corpus

    corpus = fetch_corpus(published_corpus(name), folder, settings.cache, mirror, keep_archives)
    echo(f"{corpus.n_meta} clips are in {folder}; next: {settings.next('corpus', 'check', folder)}")


@app.command(
    "import", epilog=r"Example: asc corpus import recordings corpus --layout class-folders --device-from '_(\w+)\.wav$'"
)
@with_settings()
def import_recordings(
    settings: Settings,
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="The folder of recordings; of csv the table.", show_default=False)
    ],
    folder: Folder,
    layout: Annotated[
        str,
        typer.Option(
            help="tau or another reader's name; class-folders: one folder per scene; csv.", show_default=False
        ),
    ],
    clip: Annotated[
        str, typer.Option(metavar="TIME", help="How long each clip is to be, and what networks then hear.")
    ] = "1s",
    device_from: Annotated[
        str | None,
        typer.Option(
            "--device-from",
            metavar="REGEX|COLUMN",
            help="The device: one group, searched for in a file's path, or a column of csv (default: what a reader "
            "says, else all are 'a').",
        ),
    ] = None,
    place_from: Annotated[
        str | None,
        typer.Option(
            "--place-from",
            metavar="REGEX|COLUMN",
            help="The place in the same way (default: what a reader says, else each file is one).",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="keep|PART|COLUMN=VALUE",
            help="The source's folds, a part of the clips whose places are drawn for the test fold, or rows of csv "
            "that are tested (default: a reader's folds, else 0.3).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which places are drawn.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Cut recordings of another layout into clips, and write them as a corpus in the TAU layout.

    Places stay in one fold each. Clips are mono, at the sampling rate of their recording, with 16 bits or 24 as it has.
    """
    from asc_experiments.base.durations import parse_duration
    from asc_experiments.base.errors import ProblemsError
    from asc_experiments.base.problems import in_a_screen
    from asc_experiments.corpus.importing import Order, import_corpus

    order = Order(source, folder, layout, parse_duration(clip, "--clip"), device_from, place_from, split, seed)
    try:
        facts = import_corpus(order).facts()
    except ProblemsError as error:
        for line in in_a_screen(error.problems):
            echo(line, err=True)
        echo(f"{_problems(len(error.problems))} in {source}; nothing was written", err=True)
        raise typer.Exit(2) from None
    if as_json:
        print_json(facts)
        return
    told = {f"{what} {name}": _folds(of) for what in ("scene", "device") for name, of in facts[f"{what}s"].items()}
    left_out = {f"left out: {reason}": count for reason, count in facts["left_out"].items()}
    places = {"places": _folds(facts["places"], "places")}
    counts = {"recordings": facts["recordings"], "clips": _folds(facts["folds"])}
    counts["clip_seconds"] = facts["clip_seconds"]
    print_facts(counts | places | told | left_out, str(folder))
    echo(f"next: {settings.next('corpus', 'check', folder)}")


@app.command(epilog="Example: asc corpus check /data/TAU-urban-acoustic-scenes-2022-mobile-development")
@with_settings()
def check(
    settings: Settings,
    folder: Folder,
    train_split: TrainSplitFile = None,
    deep: Annotated[
        bool | None,
        typer.Option(
            "--deep/--headers",
            help="Decode every clip, which finds silence and damage, or read headers alone (default: decode up to "
            "5,000 clips).",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Validate tables and audio, and list the problems with their files and remedies; many of a kind are counted.

    Whatever is asked for here, prepare and every training decode all clips before they begin.
    """
    from asc_experiments.base.problems import in_a_screen
    from asc_experiments.corpus.check import check_corpus

    facts, problems = check_corpus(folder, train_split, deep)
    warnings = facts.get("warnings", [])
    if as_json:
        print_json(facts | {"problems": [vars(problem) for problem in problems]})
    elif facts:
        devices = {f"device {name}": _device(about) for name, about in facts.pop("devices").items()}
        if per_scene := facts.get("listed_per_scene"):
            facts["listed_per_scene"] = ", ".join(f"{scene} {clips}" for scene, clips in per_scene.items())
        untold = {"warnings", "decoded"}
        print_facts({name: fact for name, fact in (facts | devices).items() if name not in untold}, str(folder))
        for warning in warnings:
            echo(f"warning: {warning}", err=True)
    if problems:
        told = in_a_screen(problems)
        for line in told:
            echo(line, err=True)
        each = "" if len(told) == len(problems) else "; --json lists each"
        echo(f"{_problems(len(problems))} in {folder}{each}", err=True)
        raise typer.Exit(2)
    if not as_json:
        well = f"usable, with {_warnings(len(warnings))}" if warnings else "in order"
        echo(
            f"{folder} is {well}"
            + ("" if facts["decoded"] else ", as far as tables and headers tell; --deep decodes every clip")
        )
        words: list[object] = ["study", "plan", "studies/search_ensemble.yaml", "--corpus", folder]
        words += [] if (folder / "dirs").is_dir() else ["--dirs", "IRS"]
        words += ["--scale", "small"] if facts["clips"] <= _FOR_A_LAPTOP else []
        words += ["--train-split", train_split] if train_split else []
        echo(f"next: {settings.next(*words)}")


@app.command(epilog="Example: asc corpus prepare demo_corpus")
@with_settings("workspace")
def prepare(settings: Settings, folder: Folder, as_json: Json = False) -> None:
    """Decode and resample every clip once, so that trainings start at once."""
    from asc_experiments.corpus import Corpus
    from asc_experiments.corpus import prepare as prepare_store
    from asc_experiments.corpus.audio import SAMPLE_RATE

    corpus = Corpus.open(folder)
    store = prepare_store(corpus, settings.cache)
    seconds = store.waveforms.shape[1] / SAMPLE_RATE
    facts = {"clips": len(corpus.clips), "clip_seconds": seconds}
    facts |= {"digest": store.corpus_digest, "store": str(store.path)}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts, str(folder))


def _problems(count: int) -> str:
    return f"{count:,} problem{'' if count == 1 else 's'}"


def _warnings(count: int) -> str:
    return f"{count:,} warning{'' if count == 1 else 's'}"


def _folds(counts: dict[str, int], what: str = "clips") -> str:
    return f"{counts['training']:,} training {what}, {counts['test']:,} test {what}"


def _device(about: dict[str, object]) -> str:
    return f"{about['group']}: {about['training_clips']} training clips, {about['test_clips']} test clips"
