"""``asc corpus``: make, fetch, check and prepare corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, print_facts, print_json, with_settings

app = typer.Typer(
    help="Make, fetch, check and prepare corpora in the TAU layout.",
    epilog="Example: asc corpus synth demo_corpus",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The corpus folder.", show_default=False)]


@app.command(epilog="Example: asc corpus synth demo_corpus --clips-per-scene 60 --seed 0")
@with_settings()
def synth(
    settings: Settings,
    folder: Folder,
    clips_per_scene: Annotated[int, typer.Option(help="Training and test clips of each scene.")] = 60,
    seed: Annotated[int, typer.Option(help="Decides every sample.", min=0)] = 0,
) -> None:
    """Write a synthetic corpus: ten scenes, nine devices, three of them never trained on."""
    from asc_experiments.corpus.synth import synthesise

    clips = synthesise(folder, clips_per_scene, seed)
    typer.echo(f"wrote {clips} clips to {folder}; next: {settings.next('corpus', 'check', folder)}")


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
    typer.echo(f"{corpus.n_meta} clips are in {folder}; next: {settings.next('corpus', 'check', folder)}")


@app.command(epilog="Example: asc corpus check /data/TAU-urban-acoustic-scenes-2022-mobile-development")
@with_settings()
def check(settings: Settings, folder: Folder, as_json: Json = False) -> None:
    """Validate tables and audio, and list every problem with its file and its remedy."""
    from asc_experiments.corpus.check import check_corpus

    facts, problems = check_corpus(folder)
    if as_json:
        print_json(facts | {"problems": [vars(problem) for problem in problems]})
    elif facts:
        warnings = facts.pop("warnings")
        devices = {f"device {name}": _device(about) for name, about in facts.pop("devices").items()}
        print_facts(facts | devices, str(folder))
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
    for problem in problems:
        typer.echo(f"problem: {problem.line()}", err=True)
    if problems:
        typer.echo(f"{len(problems)} problems in {folder}", err=True)
        raise typer.Exit(2)
    if not as_json:
        typer.echo(f"{folder} is in order")


@app.command(epilog="Example: asc corpus prepare demo_corpus")
@with_settings("workspace")
def prepare(settings: Settings, folder: Folder, as_json: Json = False) -> None:
    """Decode and resample every clip once, so that trainings start at once."""
    from asc_experiments.corpus import Corpus
    from asc_experiments.corpus import prepare as prepare_store

    corpus = Corpus.open(folder)
    store = prepare_store(corpus, settings.cache)
    facts = {"clips": len(corpus.clips), "digest": store.corpus_digest, "store": str(store.path)}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts, str(folder))


def _device(about: dict[str, object]) -> str:
    return f"{about['group']}: {about['training_clips']} training clips, {about['test_clips']} test clips"
