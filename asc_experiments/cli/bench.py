"""``asc bench``: measure this program on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, echo, print_facts, print_json, with_settings

app = typer.Typer(
    help="Measure this program on this machine, beside a baseline that does the same.",
    invoke_without_command=True,
    epilog="Example: asc bench --only student_distillation_epoch --rounds 7",
)


TrackingUri = Annotated[
    str | None, typer.Option(metavar="URI", help="Tracking server or database (default: a new SQLite file).")
]
Storage = Annotated[
    str | None, typer.Option(metavar="URL", help="Optuna's database or journal (default: a new journal).")
]


@app.callback()
def everything(
    context: typer.Context,
    only: Annotated[
        list[str] | None, typer.Option(metavar="WORK", help="Measure this line only; may be repeated.")
    ] = None,
    clips: Annotated[
        int, typer.Option(help="Clips of an epoch; a GPU needs thousands to be busy.", min=64, max=1_000_000)
    ] = 512,
    rounds: Annotated[int, typer.Option(help="How often each work is timed.", min=2, max=1_000)] = 5,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write all of it as JSON too, with the machine's name."),
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Name the three costliest operations too.")] = False,
    as_json: Json = False,
) -> None:
    """Measure training, evaluation, preparing, tracking and the driver, each in turn with its plain baseline.

    "At best" is what measured memory bandwidth and matrix rate would allow a program that wastes nothing.
    """
    if context.invoked_subcommand is not None:
        return
    from asc_experiments.base.progress import progress, show
    from asc_experiments.bench.record import write_record
    from asc_experiments.bench.suite import chosen, opened
    from asc_experiments.bench.table import costliest, heading, table_of

    with opened(clips, rounds) as suite:
        works = chosen(suite.works(), only or [])
        with progress(len(works), "measuring", "lines") as advance:
            for name, work in works.items():
                suite.done[name] = suite.done.get(name) or work()
                advance()
        lines = {name: suite.done[name] for name in works}
        if as_json:
            print_json({name: line.facts() for name, line in lines.items()})
        else:
            show(table_of(lines, heading(suite.machine, suite.device)))
        if output is not None:  # last: a file that cannot be written costs nothing that was measured
            write_record(output, lines, suite)
        if profile:
            for operation, share in costliest(suite.distillation_epoch(), suite.device):
                echo(f"{share:6.1%} of a student's epoch: {operation}", err=as_json)


class Device(StrEnum):
    """Where ``asc bench gpu`` measures."""

    cuda = "cuda"
    cpu = "cpu"


@app.command(
    epilog="Example: asc bench gpu -o gpu.json; without a GPU: asc bench gpu --device cpu --clips 64 --minutes 1"
)
def gpu(
    only: Annotated[
        list[str] | None, typer.Option(metavar="WORK", help="Measure this line only; may be repeated.")
    ] = None,
    clips: Annotated[
        int, typer.Option(help="Clips of an epoch; TAU22 trains on 139,620.", min=64, max=1_000_000)
    ] = 139_620,
    students: Annotated[int, typer.Option(help="How many are trained side by side.", min=2, max=64)] = 4,
    minutes: Annotated[
        float, typer.Option(help="For everything; what does not fit is not measured.", min=0.1, max=60)
    ] = 7.0,
    device: Annotated[Device, typer.Option(help="Where: cuda, or cpu with few clips.")] = Device.cuda,
    list_: Annotated[
        bool, typer.Option("--list", help="Say what would be measured where, and measure nothing.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write all of it as JSON too, with the machine's name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """A GPU at TAU22's size: epochs, logits, students side by side; how busy it is and how much memory they take.

    Clips are made up, and resident as a training keeps them. Goals are those for an H200.
    """
    from asc_experiments.base.progress import progress, show
    from asc_experiments.bench.gpu import GpuSuite, find_device, measure_all
    from asc_experiments.bench.made_up import TAU22_TRAINING_CLIPS
    from asc_experiments.bench.record import write_gpu_record
    from asc_experiments.bench.suite import chosen
    from asc_experiments.bench.table import gpu_table
    from asc_experiments.training.machine import describe_machine

    suite = GpuSuite(find_device(device.value), clips, students)
    works = chosen(suite.works(), only or [])
    title = f"{describe_machine(suite.device)}, {clips:,} clips"
    if list_:
        echo(f"{title}, {minutes:g} minutes: {', '.join(works)}")
        return
    with progress(len(works), "measuring", "lines") as advance:
        measure_all(suite, works, 60 * minutes, advance)
    if as_json:
        print_json({name: figures.facts() for name, figures in suite.done.items()})
    else:
        show(gpu_table(suite.done, title, clips == TAU22_TRAINING_CLIPS))
    if output is not None:  # last: a file that cannot be written costs nothing that was measured
        write_gpu_record(output, suite, minutes)


@app.command(epilog="Example: asc bench driver --trials 200")
def driver(
    trials: Annotated[int, typer.Option(help="Trials of the study.", min=5)] = 200,
    as_json: Json = False,
) -> None:
    """What a study costs besides its trainings: a real study in which they are answered at once."""
    from asc_experiments.bench.driver import benchmark_driver

    measured = benchmark_driver(trials)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.1f}" for name, value in measured.items()}, "driver")


@app.command(epilog="Example: asc bench load --workers 8 --trials 50 --tracking-uri http://127.0.0.1:5000")
def load(
    workers: Annotated[int, typer.Option(help="Processes, each with a driver.", min=1, max=256)] = 8,
    trials: Annotated[int, typer.Option(help="Trials per process, on average.", min=1)] = 50,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Many drivers at once on one study whose trainings are answered at once: exit code 1 if anything is lost."""
    from asc_experiments.bench.load import benchmark_load, is_whole

    measured = benchmark_load(workers, trials, tracking_uri, storage)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.4g}" for name, value in measured.items()}, "load")
    if not is_whole(measured):
        raise typer.Exit(1)


@app.command("many-runs", epilog="Example: asc bench many-runs --runs 5000")
def many_runs(
    runs: Annotated[int, typer.Option(help="Runs in the experiment, trials and their students.", min=10)] = 5_000,
    seeds: Annotated[int, typer.Option(help="Students of each trial.", min=1, max=10)] = 1,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Have trials keep answers to this corpus's clips.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often each command is timed; the median counts.", min=1)] = 3,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """How long report, status and register take, from their start, where an experiment has thousands of runs."""
    from asc_experiments.bench.many_runs import benchmark_many_runs

    measured = benchmark_many_runs(runs, rounds, tracking_uri, storage, seeds, corpus)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.4g}" for name, value in measured.items()}, "many runs")


@app.command(epilog="Example: asc bench study --epochs 3")
def study(
    clips_per_scene: Annotated[int, typer.Option(help="Training and test clips of each scene.", min=20)] = 40,
    epochs: Annotated[int, typer.Option(help="Of every network.", min=1)] = 3,
    workers: Annotated[int, typer.Option(help="Processes of this program.", min=1)] = 2,
    as_json: Json = False,
) -> None:
    """A whole study of 6 teachers and 12 students, beside scripts that train each trial's teachers anew: minutes."""
    from asc_experiments.bench.whole_study import benchmark_study

    measured = benchmark_study(clips_per_scene, epochs, workers)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.4g}" for name, value in measured.items()}, "study")


@app.command(epilog="Example: asc bench scale tau22-made-up --clips 4000")
@with_settings("workspace")
def scale(
    settings: Settings,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A large corpus, with dirs.", show_default=False)],
    clips: Annotated[int, typer.Option(help="Of an epoch.", min=256)] = 2_000,
    rounds: Annotated[int, typer.Option(help="How often each epoch is timed.", min=1)] = 5,
    as_json: Json = False,
) -> None:
    """A student's epoch, memory and start on a large corpus, in turn with a small one of as many clips."""
    from asc_experiments.bench.at_scale import benchmark_at_scale

    measured = benchmark_at_scale(folder, settings.cache, clips, rounds)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.4g}" for name, value in measured.items()}, "scale")


@app.command(epilog="Example: asc bench corpus tau22-tables tau22-one-percent --fraction 0.01")
def corpus(
    tables: Annotated[
        Path,
        typer.Argument(
            metavar="TABLES",
            help="A folder with TAU22's meta, fold and list tables (.csv, .csv.xz).",
            show_default=False,
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The corpus folder.", show_default=False)],
    fraction: Annotated[float, typer.Option(help="Part of the recordings.", min=0.001, max=1)] = 1.0,
    seed: Annotated[int, typer.Option(help="Decides every sample, and which recordings are taken.", min=0)] = 0,
) -> None:
    """Write a corpus with TAU22's true tables and made-up sound of 24 bits, to try what is slow at its true size."""
    from asc_experiments.bench.true_scale import make_corpus

    made = make_corpus(tables, folder, fraction, seed)
    lists = "".join(f", {clips:,} of them in {name}.csv" for name, clips in made.lists.items())
    echo(f"wrote {made.sounds:,} clips{lists} to {folder}; next: asc corpus check {folder}")
