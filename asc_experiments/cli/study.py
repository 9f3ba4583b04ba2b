"""``asc study``: plan and run studies, see how far they have come."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.cli.options import (
    Assignments,
    CorpusFolder,
    Json,
    Settings,
    TrainSplitFile,
    echo,
    ends_soon,
    print_facts,
    print_json,
    with_settings,
)

if TYPE_CHECKING:
    from asc_experiments.study.runner.inputs import Changes

app = typer.Typer(
    help="Run studies and see how far they have come.",
    epilog="Example: asc study run studies/quickstart.yaml --corpus demo_corpus",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The study's name.", show_default=False)]


StudyPath = Annotated[Path, typer.Argument(metavar="FILE", help="The study file.", show_default=False)]
Trials = Annotated[int | None, typer.Option(help="Trials in total (default: as the file says).", min=1)]
Scale = Annotated[
    str | None, typer.Option(help="One of the file's scales, such as small: the study for a laptop-sized corpus.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Trainings at a time, each in a process of its own (default: 1; with Ray as many as there is room for).",
        min=1,
        max=256,
    ),
]
TrialsOf = Annotated[
    str | None,
    typer.Option(
        "--trials-of", metavar="NAME", help="Begin with the trials of an earlier study, trained as this says."
    ),
]
_RAY = "With --executor ray"
_DESIGN = "A design that fits"


class ExecutorKind(StrEnum):
    """Where trainings run."""

    PROCESSES = "processes"
    RAY = "ray"


RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="The cluster (default: RAY_ADDRESS, the one that runs here, else one of this machine for this study).",
        rich_help_panel=_RAY,
    ),
]
Cpus = Annotated[
    int | None,
    typer.Option(
        "--cpus-per-training", help="Processors of each training (default: 1).", min=1, max=256, rich_help_panel=_RAY
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-training",
        help="GPUs of each training; 0.25 has four share one (default: 0, which trains on processors).",
        min=0,
        max=1,
        rich_help_panel=_RAY,
    ),
]
ShipCorpus = Annotated[
    bool,
    typer.Option(
        "--ship-corpus",
        help="Send the corpus to every node, once (default: only to nodes where its folder does not exist).",
        rich_help_panel=_RAY,
    ),
]


@app.command("new", epilog="Example: asc study new my_study.yaml --teachers cp_resnet,passt --size 0-3 --hold-out s3")
@with_settings()
def new(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it names the study.", show_default=False)],
    teachers: Annotated[
        str, typer.Option(metavar="ARCH[,ARCH…]", help="Architectures of teachers.")
    ] = "cp_mobile,cp_resnet",
    augment: Annotated[
        str, typer.Option(metavar="METHOD[,METHOD…]", help="Their device generalisation: none, dir, fms, dirfms.")
    ] = "none,dirfms",
    size: Annotated[str, typer.Option(metavar="N[-M]", help="Teachers of a trial; 0 is labels alone.")] = "0-2",
    trials: Annotated[int, typer.Option(help="Trials in total.", min=1)] = 12,
    seeds: Annotated[int, typer.Option(help="Students of each trial.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Epochs of teachers and students.", min=1)] = 20,
    student_augment: Annotated[str, typer.Option(help="The students' own device generalisation.")] = "none",
    objective: Annotated[
        str | None, typer.Option(metavar="METRIC", help="What makes a trial better (default: accuracy/macro).")
    ] = None,
    hold_out: Annotated[
        str, typer.Option(metavar="DEVICE[,DEVICE…]", help="Training devices that stand in for unseen ones.")
    ] = "",
) -> None:
    """Write a study file of 15 lines, with a word on each, to be changed as you like."""
    from asc_experiments.base.errors import AscError
    from asc_experiments.study.definition.new_study import Questions, new_study
    from asc_experiments.study.search.whole_file import read_whole_study

    lists = (tuple(filter(None, map(str.strip, text.split(",")))) for text in (teachers, augment, hold_out))
    kinds, methods, devices = lists
    metric = Questions.metric if objective is None else objective
    told = Questions(file.stem, kinds, methods, size, trials, seeds, epochs, student_augment, metric, devices)
    text = new_study(told)
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise AscError(file, "exists already", "give a file that does not; nothing was written") from None
    except OSError as error:
        raise AscError(file, f"cannot be written ({error.strerror})", "give another file") from None
    try:
        read_whole_study(file)
    except AscError:
        file.unlink()
        raise
    echo(f"wrote {file}; next: {settings.next('study', 'plan', file, '--corpus', 'DIR')}")


@app.command("run", epilog="Example: asc study run studies/quickstart.yaml --corpus demo_corpus --trials 4 --workers 2")
@with_settings("workspace", "tracking_uri", "storage", "dirs", "log_to")
def run_study(
    settings: Settings,
    file: StudyPath,
    corpus: CorpusFolder,
    trials: Trials = None,
    workers: Workers = None,
    executor: Annotated[
        ExecutorKind, typer.Option("--executor", help="Processes on this machine, or a Ray cluster.")
    ] = ExecutorKind.PROCESSES,
    ray_address: RayAddress = None,
    cpus_per_training: Cpus = None,
    gpus_per_training: Gpus = None,
    ship_corpus: ShipCorpus = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no trial after this time: 90m, 12h, 2d or seconds.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try trials that failed once more.")] = False,
    retry_deleted: Annotated[
        bool,
        typer.Option("--retry-deleted", help="Run trials again whose runs were deleted in the tracking server."),
    ] = False,
    trials_of: TrialsOf = None,
    scale: Scale = None,
    train_split: TrainSplitFile = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Run a study to its total of trials. Stopped or killed, the same command resumes."""
    from asc_experiments.base.durations import parse_duration
    from asc_experiments.study.executors.ray.options import RayOptions, local_executor
    from asc_experiments.study.runner.driver import Driver
    from asc_experiments.study.runner.inputs import StudyInputs

    seconds = None if timeout is None else parse_duration(timeout, "--timeout")
    ray = RayOptions(ray_address, cpus_per_training, gpus_per_training, ship_corpus)
    if executor is ExecutorKind.PROCESSES:
        ray.refuse()
    changes = _changes(trials, scale, train_split, trials_of, assignments)
    inputs = StudyInputs.open(settings, file, corpus, changes)
    study, bench = inputs.file, inputs.bench
    try:
        pool = (
            ray.executor(bench, workers, study, settings.workspace, settings.storage)
            if executor is ExecutorKind.RAY
            else local_executor(workers)
        )
        status = Driver(study, bench, inputs.storage, pool, retry_deleted).run(seconds, retry_failed)
    except (KeyboardInterrupt, SystemExit) as stop:  # Ctrl-C, SIGTERM
        echo(f"stopped; the same command resumes with study '{study.name}'", err=True)
        raise typer.Exit(stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 130) from None
    if as_json:
        print_json(status.facts())
    else:
        print_facts(_in_words(status.facts()), f"study {status.name}")
        registers = [["register", status.name]] if status.best_trial is not None else []  # else it would be refused
        for words in (["report", status.name, "--format", "html"], *registers, ["ui"]):
            echo(f"next: {settings.next(*words)}")
    if status.failed:
        raise typer.Exit(1)


@app.command("plan", epilog="Example: asc study plan studies/quickstart.yaml --corpus demo_corpus")
@with_settings("workspace", "tracking_uri", "storage", "dirs")
def plan(
    settings: Settings,
    file: StudyPath,
    corpus: CorpusFolder,
    trials: Trials = None,
    trials_of: TrialsOf = None,
    scale: Scale = None,
    train_split: TrainSplitFile = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Propose designs that take no longer: 90m, 12h, 2d.", rich_help_panel=_DESIGN
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trainings at a time (default: 1).", min=1, max=256, rich_help_panel=_DESIGN)
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="ATTRIBUTE",
            help="Whose values are compared, such as augment (default: kinds of teachers, if there are several).",
            rich_help_panel=_DESIGN,
        ),
    ] = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Say what a study will cost on this machine, without training: trials, teachers, those in the bank, hours.

    With --within also how many epochs and seeds fit into a time, and which differences they would tell apart.
    """
    from asc_experiments.base.durations import parse_duration
    from asc_experiments.report.render.terminal import show_table
    from asc_experiments.study.monitor.cost_estimate import Clock, plan_study
    from asc_experiments.study.monitor.plan_table import plan_table
    from asc_experiments.study.runner.inputs import StudyInputs

    seconds = None if within is None else parse_duration(within, "--within")
    _refuse_without(within, {"--workers": workers, "--compare": compare})
    changes = _changes(trials, scale, train_split, trials_of, assignments)
    inputs, clock = StudyInputs.open(settings, file, corpus, changes), Clock()
    facts = plan_study(inputs.file, inputs.bench, inputs.storage, clock).facts()
    if seconds is not None:
        from asc_experiments.study.monitor.design import propose

        asked = (inputs.file, inputs.bench, inputs.storage, seconds, workers or 1, compare, clock)
        facts["design"] = propose(*asked).facts()
    if as_json:
        print_json(facts)
        return
    show_table(plan_table(facts))
    if "design" in facts:
        from asc_experiments.study.monitor.design_table import design_table

        show_table(design_table(facts["design"]))
    told = dict(facts["design"]["settings"]) if "design" in facts else {}
    given = {"--trials": told.pop("trials", trials), "--trials-of": trials_of, "--scale": scale}
    given |= {"--train-split": train_split, "--workers": workers}
    words = [word for option, value in given.items() if value for word in (option, value)]
    words += [word for each in _assigned(assignments, told) for word in ("--set", each)]
    echo(f"next: {settings.next('study', 'run', file, '--corpus', corpus, *words)}")


def _refuse_without(within: str | None, given: dict[str, int | str | None]) -> None:
    """Refuse options of a design where none is asked for.

    Raises:
        AscError: naming the first of them.
    """
    from asc_experiments.base.errors import AscError

    if within is None:
        for option, value in given.items():
            if value is not None:
                raise AscError(option, "is of the designs that --within asks for", "add --within, such as --within 12h")


def _assigned(assignments: list[str] | None, settings: dict[str, Any]) -> list[str]:
    """What is given to ``--set``: what was given now, and the settings of a design, which stand for it."""
    kept = [each for each in assignments or [] if each.partition("=")[0].strip() not in settings]
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return kept + [f"{name}={value}" for name, value in told.items()]


def _in_words(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a study's status for people: those that there are, the best value in its unit."""
    from asc_experiments.metrics import value_in_words

    told = {key: fact for key, fact in facts.items() if fact not in (None, "")}
    if "best_value" in told:
        told["best_value"] = value_in_words(facts["metric"], facts["best_value"])
    return told


def _changes(
    trials: int | None,
    scale: str | None,
    train_split: Path | None,
    trials_of: str | None,
    assignments: list[str] | None,
) -> Changes:
    """What the options change of a study file."""
    from asc_experiments.base.yaml import parse_assignments
    from asc_experiments.study.runner.inputs import Changes

    return Changes(trials, scale, train_split, trials_of, parse_assignments(assignments or []))


@app.command(epilog="Example: asc study status quickstart --json")
@with_settings("workspace", "storage")
@ends_soon
def status(settings: Settings, name: Name, as_json: Json = False) -> None:
    """How many trials were asked for, finished, pruned, failed, and are running, as Optuna's storage has it."""
    from asc_experiments.study.storage.open_storage import load_study, open_storage
    from asc_experiments.study.storage.trial_status import study_status

    facts = study_status(load_study(open_storage(settings.workspace, settings.storage), name)).facts()
    if as_json:
        print_json(facts)
        return
    print_facts(_in_words(facts), f"study {name}, as Optuna's storage has it")


@app.command("watch", epilog="Example: asc study watch quickstart --every 2")
@with_settings("workspace", "tracking_uri", "storage")
def watch(
    settings: Settings,
    name: Name,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2, max=3_600)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once; so does --json.")] = False,
    as_json: Json = False,
) -> None:
    """Watch a study live: active trainings, epochs, accuracy so far, the best trial, the time left.

    It ends with the study, and where nobody works on it any more.
    """
    from asc_experiments.base.progress import live, show
    from asc_experiments.study.monitor.live_view import Watch, ended_in_words, watch_table
    from asc_experiments.study.storage.open_storage import load_study, open_storage

    study, tracking = load_study(open_storage(settings.workspace, settings.storage), name), settings.tracking()
    watching = Watch(study, tracking)
    view = watching.look()
    if as_json:
        print_json(view.facts())
    elif once:
        show(watch_table(view))
    elif live(lambda: watch_table(watching.look()), every, lambda: watching.has_ended):
        status = watching.look().status
        typer.echo(ended_in_words(status))
        if status.done >= status.asked:
            echo(f"next: {settings.next('report', name)}")


@app.command("list", epilog="Example: asc study list")
@with_settings("workspace", "storage")
@ends_soon
def list_studies(
    settings: Settings,
    shipped: Annotated[bool, typer.Option("--shipped", help="Those that come with the program, instead.")] = False,
    as_json: Json = False,
) -> None:
    """All studies in the storage, or those that come with the program."""
    from asc_experiments.metrics import value_in_words
    from asc_experiments.report.render.table import Table, columns, text
    from asc_experiments.report.render.terminal import show_table
    from asc_experiments.report.words import counted
    from asc_experiments.study.storage.open_storage import load_study, open_storage, study_names
    from asc_experiments.study.storage.trial_status import study_status

    if shipped:
        from asc_experiments.study.definition.bundled_studies import shipped_studies
        from asc_experiments.study.definition.study_file import read_study

        about = {name: read_study(path).description for name, path in shipped_studies().items()}
        print_json(about) if as_json else print_facts(about, f"{len(about)} studies come with the program")
        return
    storage = open_storage(settings.workspace, settings.storage)
    found = [study_status(load_study(storage, name)).facts() for name in study_names(storage)]
    if as_json:
        print_json(found)
        return
    if not found:
        echo("no study yet")
        echo(f"next: {settings.next('study', 'run', 'studies/quickstart.yaml', '--corpus', 'DIR')}")
        return
    heads = ("name", "asked", "finished", "pruned", "failed", "running", "metric", "best_value")
    rows = []
    for facts in found:
        best = "" if facts["best_value"] is None else value_in_words(facts["metric"], facts["best_value"])
        rows.append((*(text(facts[head]) for head in heads[:-1]), text(best)))
    show_table(Table(counted(len(found), "study", "studies"), columns(*heads, texts=("name", "metric")), tuple(rows)))
