"""``asc export``: a model as a file for devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.model import ModelUri
from asc_experiments.cli.options import Json, Settings, TrainSplitFile, print_facts, print_json, with_settings


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    example = "Example: asc export models:/asc-student@champion --int8 --corpus demo_corpus -o student.onnx"
    root.command(epilog=example)(export)


@with_settings("workspace", "tracking_uri", "dirs")
def export(
    settings: Settings,
    model_uri: ModelUri,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.", show_default=False)],
    format: Annotated[str, typer.Option(help="onnx: for onnxruntime and what reads ONNX.")] = "onnx",
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise: int8 kernels, uint8 activations, ranges from training clips.")
    ] = False,
    frontend: Annotated[
        bool,
        typer.Option(
            help="Take waveforms (batch, samples) of a clip at 32 kHz; else log-mels (batch, 1, mels, frames)."
        ),
    ] = False,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The corpus to test the file on.", show_default=False)
    ] = None,
    finetune: Annotated[
        int, typer.Option(metavar="EPOCHS", help="Train for int8 first, at the model's own recipe.", min=0)
    ] = 0,
    device: Annotated[
        str, typer.Option(help="The network for this recording device, where the model has some; logged to no run.")
    ] = "",
    train_split: TrainSplitFile = None,
    as_json: Json = False,
) -> None:
    """Write a model as an ONNX file, and test it in onnxruntime beside the model as PyTorch runs it.

    File and accuracies are logged to the run that made the model, under export/. With --finetune, the model learns
    from the labels and teachers that it was trained with; what int8 reaches without is told beside.
    """
    from asc_experiments.base.progress import say
    from asc_experiments.corpus import Corpus
    from asc_experiments.edge import Order, export_network
    from asc_experiments.edge.text import accuracy_table, advice, facts, summary
    from asc_experiments.report.render.terminal import show_table

    order = Order(output, corpus, format, frontend, int8, finetune, device)
    order.check()
    if corpus is not None:
        Corpus.open(corpus)  # refused before the tracking server is touched
    tracking = settings.tracking()
    exported = export_network(
        tracking,
        model_uri,
        order,
        lambda split: settings.workbench_on(train_split, order.corpus or Path(), split, tracking),
    )
    if as_json:
        print_json(facts(exported))
    else:
        print_facts(summary(exported), exported.format)
        if (table := accuracy_table(exported)) is not None:
            show_table(table)
    if warning := advice(exported):
        say(warning)
