"""Designs fit into the time that there is, say what they would tell apart, and are what their settings make."""

import json
import re
import shlex
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TrainingContext
from asc_experiments.report.render.terminal import drawn
from asc_experiments.statistics.planning import Basis
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.cost_estimate import plan_study
from asc_experiments.study.monitor.design import Design, Proposal, propose
from asc_experiments.study.monitor.design_table import design_table
from asc_experiments.study.storage.open_storage import open_storage

ENSEMBLE: dict[str, Any] = {
    "size": [0, 1],
    "common": {"epochs": 4, "batch_size": 64},
    "pool": [{"arch": "cp_mobile", "base_channels": 8, "augment": ["none", "fms"]}],
}
STUDY: dict[str, Any] = {
    "name": "new",
    "sampler": "grid",
    "seeds": 3,
    "validation": {"fraction": 0.3},
    "ensemble": ENSEMBLE,
    "student": {"base_channels": 8, "epochs": 4, "augment": "none"},
}
"""Three trials: labels alone, and two kinds of teachers."""
KINDS = ENSEMBLE | {"pool": [ENSEMBLE["pool"][0] | {"seed": [0, 1]}]}

pytestmark = pytest.mark.usefixtures("quick_pace")

Proposes = Callable[..., Proposal]


@pytest.fixture
def proposed(earlier: TrainingContext, workspace: Path) -> Proposes:
    """Propose designs of the study, some keys replaced, on a corpus that an earlier study of five trials tells of."""

    def made(seconds: float, workers: int = 1, compare: str | None = None, **keys: Any) -> Proposal:
        file = StudyFile.parse(STUDY | keys, "new.yaml")
        return propose(file, earlier, open_storage(workspace, None), seconds, workers, compare)

    return made


def whole(proposal: Proposal) -> Design:
    """The design with all epochs."""
    return next(each for each in proposal.designs if each.part == 1 and each.is_whole)


def training(bench: TrainingContext) -> int:
    return len(bench.rows[0])


def test_time_is_that_of_the_plan(proposed: Proposes, earlier: TrainingContext) -> None:
    epoch = training(earlier)  # a second a clip
    design = whole(proposed(1e6))
    assert design.seconds == epoch * (2 * 4 + 3 * 4 * design.seeds), (
        "two teachers, and three trials of so many students"
    )


def test_design_fits_and_one_more_seed_does_not(proposed: Proposes, earlier: TrainingContext) -> None:
    epoch = training(earlier)
    seconds = epoch * (8 + 12 * 4 + 5)
    found = proposed(seconds)
    assert all(each.seconds <= seconds for each in found.designs)
    assert (whole(found).seeds, whole(found).settings) == (4, {"seeds": 4})
    assert found.settings == {"name": "new-design", "seeds": 4}
    assert whole(proposed(seconds / 2, workers=2)).seeds == 4, "two trainings at once take half as long"


def test_study_that_is_right_as_it_is_keeps_its_name(proposed: Proposes, earlier: TrainingContext) -> None:
    found = proposed(training(earlier) * (8 + 12 * 3 + 5))
    assert (found.best.seeds, found.settings) == (3, {})
    assert "the study is the recommended one as it is" in design_table(found.facts()).notes


def test_more_time_tells_smaller_differences_until_more_seeds_do_not(
    proposed: Proposes, earlier: TrainingContext
) -> None:
    epoch = training(earlier)
    designs = [whole(proposed(epoch * (8 + 12 * seeds + 5))) for seeds in (2, 4, 8)]
    widths = [each.expected.half_width for each in designs]
    assert widths == sorted(widths, reverse=True)
    assert whole(proposed(1e12)).seeds < 100, "the fewest seeds that tell as much as any number"


def test_scatter_that_was_measured_is_what_intervals_are_made_of(
    proposed: Proposes, open_bench: Callable[..., TrainingContext], workspace: Path
) -> None:
    found = proposed(1e5)
    assert found.earlier.basis == Basis(students=10, pairs=10, teachers=0)
    design = whole(found)
    assert design.expected == found.comparison.expected(found.earlier.scatter, design.seeds)
    file = StudyFile.parse(STUDY, "new.yaml")
    guessed = propose(file, open_bench(file.validation), open_storage(workspace, None), 1e5)
    assert guessed.earlier.basis == Basis()
    notes = " ".join(design_table(guessed.facts()).notes)
    assert "(assumed, as no study on this corpus tells)" in notes
    assert "what fewer epochs change is not known: no earlier study on this corpus has curves" in notes
    assert guessed.best.part == 1, "fewer epochs are not recommended where nothing is known of them"


@pytest.mark.parametrize("kept", [True, False])
def test_fewer_epochs_are_recommended_only_where_trials_kept_their_order(
    run_another: Callable[..., TrainingContext], workspace: Path, kept: bool
) -> None:
    bench = run_another(lambda rate, epoch: rate - 0.02 if kept else 1 - rate, rates=[0.3, 0.4, 0.5, 0.6, 0.7])
    file = StudyFile.parse(STUDY, "new.yaml")
    found = propose(file, bench, open_storage(workspace, None), training(bench) * (8 + 12 * 2 + 1))
    ranks = [each.cut.rank for each in found.designs if each.cut]
    assert all(rank is not None and (rank >= 0.9 if kept else rank < 0) for rank in ranks)
    if kept:
        assert found.best.part < 1
        assert found.best.expected.detects < whole(found).expected.detects / 1.1
    else:
        assert (found.best.part, found.best.seeds) == (1, 2)
        assert [each["detects"] for each in found.facts()["designs"][1:]] == [None] * len(ranks)


def test_what_cannot_fit_is_one_line_with_the_time_that_would(proposed: Proposes, earlier: TrainingContext) -> None:
    with pytest.raises(AscError) as refused:
        proposed(60.0)
    assert "\n" not in refused.value.line()
    told = re.fullmatch(
        r"--within: is too short: the smallest design takes (\d+) min \(1 epoch, 2 seeds, 3 trials\); .*--workers",
        refused.value.line(),
    )
    assert told
    assert float(told[1]) * 60 == pytest.approx(training(earlier) * (2 + 6) * 1.05, abs=60)
    assert proposed(60 * float(told[1])).best.epochs == 1, "that time does"


def test_differences_that_were_smaller_after_fewer_epochs_are_told_when_they_are_larger(proposed: Proposes) -> None:
    found = proposed(1e5)
    (half,) = [each for each in found.designs if each.epochs == 2]
    assert half.cut is not None
    assert half.cut.kept is not None
    assert half.cut.kept < 0.3, "of curves that are a quarter as high there"
    alone = found.comparison.expected(found.earlier.scatter, half.seeds)
    assert half.expected.half_width == alone.half_width
    assert half.expected.detects == alone.detects / half.cut.kept
    assert found.best.part == 1


def test_trials_are_left_out_before_epochs_that_change_their_order(
    run_another: Callable[..., TrainingContext], workspace: Path
) -> None:
    bench = run_another(lambda rate, epoch: 1 - rate, rates=[0.3, 0.4, 0.5, 0.6, 0.7])
    grid = {"student": STUDY["student"] | {"weight_decay": [1e-4, 1e-3]}, "distillation": {"label_weight": [0.1, 0.5]}}
    file = StudyFile.parse(STUDY | grid | {"ensemble": ENSEMBLE | {"size": 1}}, "new.yaml")
    epoch = training(bench)
    found = propose(file, bench, open_storage(workspace, None), epoch * (8 + 4 * 4 * 2 + 1))
    assert found.comparison.values == {"cp_mobile-8-none": 4, "cp_mobile-8-fms": 4}
    assert (found.best.part, found.best.trials, found.best.of_trials) == (1, 4, 8)
    assert found.settings == {"name": "new-design", "trials": 4, "seeds": 2}
    made = file.with_changes(found.settings)
    assert plan_study(made, bench, open_storage(workspace, None)).trials == 4


def test_more_teachers_of_each_kind_are_proposed_where_kinds_have_several(
    proposed: Proposes, earlier: TrainingContext, workspace: Path
) -> None:
    found = proposed(1e6, ensemble=KINDS)
    own, more = whole(found), found.best
    assert (own.teachers, own.trials) == (2, 5)
    assert more.teachers > 2
    assert more.trials == 1 + 2 * more.teachers
    assert more.expected.detects < own.expected.detects
    made = StudyFile.parse(STUDY | {"ensemble": KINDS}, "new.yaml").with_changes(found.settings)
    assert plan_study(made, earlier, open_storage(workspace, None)).trials == more.trials
    assert "other teachers of the kind" in " ".join(design_table(found.facts()).notes)


def test_study_that_repeats_its_best_trials_gets_more_of_those_students(
    proposed: Proposes, earlier: TrainingContext
) -> None:
    keys = {"sampler": "tpe", "trials": 4, "seeds": 1, "replicate": {"best": 1, "seeds": 3}}
    found = proposed(1e6, **keys)
    assert set(whole(found).settings) <= {"replicate.seeds"}
    assert found.comparison.comparisons == 1
    assert [each.trials for each in found.designs] == [4] * len(found.designs), "no search is cut short"
    more = proposed(1e6, **keys | {"replicate": {"best": 1, "seeds": 2}})
    assert whole(more).seeds == whole(found).seeds


@pytest.mark.parametrize("ensemble", [ENSEMBLE, KINDS], ids=["one of a kind", "several"])
def test_settings_of_every_design_make_the_study_so(
    proposed: Proposes, earlier: TrainingContext, workspace: Path, ensemble: dict[str, Any]
) -> None:
    file = StudyFile.parse(STUDY | {"ensemble": ensemble}, "new.yaml")
    for design in proposed(1e6, ensemble=ensemble).designs:
        plan = plan_study(file.with_changes(design.settings), earlier, open_storage(workspace, None))
        assert (plan.trials, 3600 * plan.hours) == (design.trials, pytest.approx(design.seconds))
        students = next(row for row in plan.trainings if row.role == "student")
        assert (students.epochs, students.distinct) == (design.epochs, design.trials * design.seeds)


def test_name_is_one_that_no_study_has(run_another: Callable[..., TrainingContext], workspace: Path) -> None:
    bench = run_another(rates=[0.5], name="new-design")
    file = StudyFile.parse(STUDY, "new.yaml")
    assert propose(file, bench, open_storage(workspace, None), 1e6).name == "new-design-2"


@pytest.mark.parametrize("keys", [{}, {"ensemble": KINDS}, {"objective": "loss/overall"}], ids=str)
def test_table_fits_into_80_columns(proposed: Proposes, keys: dict[str, Any]) -> None:
    out = StringIO()
    (table,) = drawn(design_table(proposed(1e6, **keys).facts()), 80)
    Console(file=out, width=80).print(table)
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert out.getvalue().count(" * ") == 1, "one design is recommended"


def test_plan_asks_no_earlier_study_unless_designs_are_asked_for(
    asc: Callable, synth_corpus: Path, study_file: Callable, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no design was asked for")

    monkeypatch.setattr("asc_experiments.study.monitor.earlier_runs.read_studies", refuse)
    planned = asc("study", "plan", study_file(), "--corpus", synth_corpus, "--workspace", workspace, "--json")
    assert planned.code == 0
    assert "design" not in json.loads(planned.out)


def test_command_proposes_a_design_and_the_command_that_runs_it(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(json.dumps(STUDY | {"ensemble": KINDS}))
    where = ["--corpus", synth_corpus, "--workspace", workspace]
    command = ["study", "plan", file, *where, "--within", "300h", "--workers", 2, "--set", "seeds=2"]
    found = json.loads(asc(*command, "--json").out)["design"]
    best = next(design for design in found["designs"] if design["recommended"])
    assert best["seconds"] <= found["seconds"] == 300 * 3600
    assert 0 < best["half_width"] < best["detects"] < 1
    printed = asc(*command)
    assert printed.code == 0
    assert "designs within 300.0 h, 2 workers; accuracy/macro on test clips (* recommended)" in printed.out
    words = shlex.split(printed.out.splitlines()[-1].removeprefix("next: "))
    again = words[words.index("study") :]
    assert again[:2] == ["study", "run"]
    assert again.count("seeds=2") == 0, "what the design says stands for what was set"
    assert again[again.index("--workers") + 1] == "2"
    again = ["study", "plan", *again[2 : again.index("--workers")], *again[again.index("--workers") + 2 :], "--json"]
    planned = json.loads(asc(*again).out)
    assert planned["study"] == "new-design"
    assert planned["trials"] == best["trials"]
    assert planned["hours"] * 3600 / 2 == pytest.approx(best["seconds"], rel=0.01)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--within", "soon"], "--within soon: is no duration"),
        (["--workers", 2], "--workers: is of the designs that --within asks for; add --within"),
        (["--compare", "augment"], "--compare: is of the designs that --within asks for"),
        (["--within", "9h", "--compare", "size"], "--compare size: is no attribute that the trials have several"),
        (["--within", "10s"], "--within: is too short: the smallest design takes"),
    ],
    ids=str,
)
def test_wrong_options_are_one_line(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path, options: list[object], said: str
) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(json.dumps(STUDY))
    refused = asc("study", "plan", file, "--corpus", synth_corpus, "--workspace", workspace, *options)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[-1].startswith(f"error: {said}")
