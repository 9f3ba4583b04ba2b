"""How often "what makes a good teacher here" is wrong, and how often it finds what is there, by simulation.

Studies are made up whose truth is known, with Optuna's own samplers choosing every trial: a student scores a constant,
plus the mean luck of its teachers, plus half a point per doubling of its width, plus the noise of its own training.
Nothing that a report tells of the teachers matters, unless a setting says that DIR does. A report's own code then looks
for what goes with better students. ``python -m asc_experiments.bench.teacher_attributes`` prints the table.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import optuna
from scipy import stats

from asc_experiments.metrics import (
    AGREEMENT,
    DG,
    DISAGREEMENT,
    ENSEMBLE,
    ENSEMBLE_ACCURACY,
    ENTROPY,
    OVERALL_ACCURACY,
    TARGETS_ENTROPY,
    UNSEEN_ACCURACY,
)
from asc_experiments.report.analysis.teacher_attributes import rank_attributes
from asc_experiments.report.analysis.teacher_design import Design
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.statistics.permutation import Effect
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import OBJECTIVE_VALUE

STUDIES = 100
"""Studies per setting."""
LUCKS, NOISE, WIDTH = (0.8, 1.2), 0.7, 0.5
"""Standard deviations of teachers' luck, one of them in each study, and of a student's own; what a doubling of the
student's width gives; all in points."""
_WIDTHS, _AUGMENTS, _SIZES = (8, 16, 32), ("none", "dir", "fms", "dirfms"), (8, 16, 32)
_ARCHS = ("cp_mobile", "cp_resnet")


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        sampler: ``random``, ``tpe`` or ``grid``.
        trials: how many a study has; of a grid, a trial for each teacher.
        teachers: how many to choose from; 0: by architecture, size and augmentation, 24 kinds, two of one are twins.
        sizes: the fewest and the most teachers of an ensemble.
        dir_gives: what a teacher's DIR gives its student, in points.
        twins: of a grid, networks of each of four kinds.
    """

    sampler: str
    trials: int
    teachers: int
    sizes: tuple[int, int] = (0, 3)
    dir_gives: float = 0.0
    twins: int = 0

    def __str__(self) -> str:
        if self.twins:
            return f"grid of 4 kinds, {self.twins} network{'s' * (self.twins > 1)} of each"
        chosen = f"{self.teachers} teachers" if self.teachers else "24 kinds by their settings"
        return f"{self.sampler}, {self.trials} trials, {chosen}, ensembles of {self.sizes[0]} to {self.sizes[1]}"


@dataclass(frozen=True)
class Found:
    """What a report said of one study.

    Attributes:
        clear: the attributes that were called clear.
        naive: how many of the attributes that are numbers had p ≤ 5 %, had trials been independent, and of how many.
    """

    clear: tuple[str, ...]
    naive: tuple[int, int]


@dataclass(frozen=True)
class Rate:
    """One line of the table.

    Attributes:
        setting: what was simulated.
        studies: how many studies.
        any_clear: the part of studies in which anything harmless was called clear.
        worst: the attribute that was most often, and the part of studies in which it was.
        naive: how often a harmless number would have been, had trials been independent.
        found: the part of studies in which DIR was called clear; None where it is harmless too.
    """

    setting: Setting
    studies: int
    any_clear: float
    worst: tuple[str, float]
    naive: float
    found: float | None


def settings() -> list[Setting]:
    """Everything that is simulated: harmless attributes, then an effect of 3 points."""
    samplers, trials = ("random", "tpe"), (12, 30, 60)
    harmless = [Setting(s, n, teachers) for s, teachers, n in product(samplers, (4, 6, 12), trials)]
    harmless += [Setting("tpe", n, 4, sizes=(1, 1)) for n in trials]
    harmless += [Setting("tpe", n, 0) for n in (30, 60)]
    grids = [Setting("grid", 4 * twins, 0, (1, 1), twins=twins) for twins in (1, 3)]
    real = [Setting(s, n, 12, sizes, 3.0) for s, n, sizes in product(samplers, trials[1:], ((1, 1), (1, 3)))]
    real += [Setting("tpe", 60, 0, dir_gives=3.0)]
    return [*harmless, *grids, *real, *(Setting(**{**vars(each), "dir_gives": 3.0}) for each in grids)]


def rates(
    simulated: Sequence[Setting] = (), studies: int = STUDIES, map: Callable[..., Iterable[Any]] = map
) -> list[Rate]:
    """How often a report is wrong, and how often it finds an effect.

    Args:
        simulated: the settings; all where none is given.
        studies: per setting.
        map: runs the studies, in this process or in several.
    """
    simulated = simulated or settings()
    jobs = [(setting, number) for setting in simulated for number in range(studies)]
    found = list(map(_found, *zip(*jobs, strict=True)))
    return [_rate(setting, found[place * studies : (place + 1) * studies]) for place, setting in enumerate(simulated)]


def table(found: Sequence[Rate]) -> str:
    """The rates as Markdown, in percent."""
    heads = ("simulated", "studies", "anything clear", "most often", "as if independent", "DIR found")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for each in found:
        name = str(each.setting) + (f", DIR gives {each.setting.dir_gives:g} points" if each.setting.dir_gives else "")
        worst = f"{100 * each.worst[1]:.1f} ({each.worst[0]})" if each.worst[1] else "0"
        real = "" if each.found is None else f"{100 * each.found:.0f}"
        cells = (name, str(each.studies), f"{100 * each.any_clear:.1f}", worst, f"{100 * each.naive:.0f}", real)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rate(setting: Setting, found: Sequence[Found]) -> Rate:
    harmless = [[name for name in each.clear if not (setting.dir_gives and _goes_with_dir(name))] for each in found]
    counts = {name: sum(name in each for each in harmless) for each in harmless for name in each}
    worst = max(counts, key=lambda name: counts[name], default="")
    together = [sum(each.naive[place] for each in found) for place in (0, 1)]
    real = sum("DIR" in " ".join(each.clear) for each in found) / len(found) if setting.dir_gives else None
    return Rate(
        setting,
        len(found),
        sum(map(bool, harmless)) / len(found),
        (worst, counts.get(worst, 0) / len(found)),
        together[0] / max(1, together[1]),
        real,
    )


def _goes_with_dir(name: str) -> bool:
    """Whether an attribute is DIR, or compares teachers, of which some have it, with none."""
    return "DIR" in name or name == "any teacher at all"


def _found(setting: Setting, number: int) -> Found:
    """What a report says of one study.

    Args:
        setting: what is simulated.
        number: the study's, which seeds it.
    """
    design = Design(_World(setting, number).study())
    ranked = rank_attributes(design)
    clear = [each.name for each in ranked if _is_clear(each.on_objective) or _is_clear(each.on_unseen)]
    numbers = [each.on_objective for each in ranked if each.on_objective and not each.is_category]
    naive = [_as_if_independent(effect) <= 0.05 for effect in numbers if abs(effect.value) < 1 and effect.n > 2]
    return Found(tuple(clear), (sum(naive), len(naive)))


def _is_clear(effect: Effect | None) -> bool:
    return effect is not None and effect.is_clear


def _as_if_independent(effect: Effect) -> float:
    """P of a rank correlation over independent trials."""
    t = effect.value * np.sqrt((effect.n - 2) / (1 - effect.value**2))
    return float(2 * stats.t.sf(abs(t), effect.n - 2))


@dataclass(eq=False)
class _World:
    """One made-up study.

    Args:
        setting: what is simulated.
        number: of the study.
    """

    setting: Setting
    number: int
    bank: dict[str, RunRecord] = field(default_factory=dict)
    worth: dict[str, float] = field(default_factory=dict)
    """What each teacher, and each kind of teachers, gives."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.number, *str(self.setting).encode()])
        self.luck = LUCKS[self.number % len(LUCKS)]
        teachers = self.setting.teachers
        halves = [self.rng.permutation(np.arange(teachers) % 2) for _ in range(3)]
        self.named = [
            self._teacher(_ARCHS[arch], int(self.rng.choice(_SIZES)), _AUGMENTS[dir_ + 2 * fms], 0, f"teacher-{place}")
            for place, (arch, dir_, fms) in enumerate(zip(*halves, strict=True))
        ]
        self.ensembles: dict[str, np.ndarray] = {}

    def study(self) -> StudyRuns:
        """The runs as a tracking server would give them back."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        search = optuna.create_study(direction="maximize")
        runs = []
        for number in range(self.setting.trials):
            seed = int(self.rng.integers(2**31))
            of = optuna.samplers.TPESampler if self.setting.sampler == "tpe" else optuna.samplers.RandomSampler
            search.sampler = of(seed=seed)
            trial = search.ask()
            runs.append(self._trial(number, self._members(trial, number), trial))
            search.tell(trial, runs[-1].metrics[OBJECTIVE_VALUE])
        return StudyRuns("made", {"asc.sampler": self.setting.sampler}, tuple(runs), self.bank)

    def _members(self, trial: optuna.Trial, number: int) -> list[str]:
        if self.setting.twins:
            kind, twin = divmod(number, self.setting.twins)
            return [self._teacher(_ARCHS[kind // 2], 16, _AUGMENTS[kind % 2], twin)]
        low, high = self.setting.sizes
        drawn = [self._member(trial, place) for place in range(trial.suggest_int("ensemble_size", low, high))]
        if self.named:
            return sorted({self.named[place] for (place,) in drawn})
        return sorted(self._teacher(a, s, g, drawn[:n].count((a, s, g))) for n, (a, s, g) in enumerate(drawn))

    def _member(self, trial: optuna.Trial, place: int) -> tuple[Any, ...]:
        if self.named:
            return (trial.suggest_categorical(f"teacher_{place}", range(len(self.named))),)
        arch = trial.suggest_categorical(f"teacher_{place}", _ARCHS)
        of = f"teacher_{place}.{arch}"
        size = trial.suggest_categorical(f"{of}.base_channels", _SIZES)
        return arch, size, trial.suggest_categorical(f"{of}.augment", _AUGMENTS)

    def _teacher(self, arch: str, size: int, augment: str, seed: int, key: str = "") -> str:
        """A teacher's key; made up where it is new."""
        kind = f"{arch}-{size}-{augment}"
        key = key or f"{kind}-s{seed}"
        if key in self.bank:
            return key
        self.worth.setdefault(
            kind, 0.0 if self.setting.twins or self.setting.teachers else self.rng.normal(0, self.luck)
        )
        self.worth[key] = self.worth[kind] + self.rng.normal(0, self.luck) + self.setting.dir_gives * ("dir" in augment)
        recipe = {
            "network": {"arch": arch, "base_channels": size, "key": key if self.setting.teachers else ""},
            "augmentation": {"dir_probability": float("dir" in augment), "fms_probability": float("fms" in augment)},
            "optimisation": {},
            "seed": seed,
        }
        metrics = {
            OVERALL_ACCURACY: self.rng.normal(0.5, 0.03),
            UNSEEN_ACCURACY: self.rng.normal(0.4, 0.03),
            DG: self.rng.normal(0.05, 0.01),
            "complexity/parameters": 1_000.0 * size * (1 + (arch == "cp_resnet")),
            "entropy": self.rng.normal(0.5, 0.1),
            "agreement": self.rng.normal(0.8, 0.02),
        }
        tags = {"asc.recipe": json.dumps(recipe), "asc.teacher": key}
        self.bank[key] = RunRecord(key, "1", key, "FINISHED", {}, metrics, tags, 0, 0)
        return key

    def _trial(self, number: int, members: Sequence[str], trial: optuna.Trial) -> RunRecord:
        temperature = trial.suggest_float("distillation.temperature", 1.0, 4.0)
        weight = trial.suggest_float("distillation.label_weight", 0.005, 0.5, log=True)
        width = 16
        if not self.setting.twins:
            width = trial.suggest_categorical("student.base_channels", _WIDTHS)
        truth = 50.0 + WIDTH * np.log2(width / 16)
        truth += float(np.mean([self.worth[key] for key in members])) if members else 0.0
        metrics = {OBJECTIVE_VALUE: (truth + self.rng.normal(0, NOISE)) / 100}
        metrics[UNSEEN_ACCURACY] = metrics[OBJECTIVE_VALUE] - 0.1 + self.rng.normal(0, NOISE) / 100
        params = {}
        if members:
            metrics |= self._of_ensemble(members)
            params = {"temperature": str(temperature), "label_weight": str(weight)}
        tags = {"asc.kind": "trial", "asc.trial": str(number), "asc.teachers": ",".join(members)}
        tags |= {"asc.objective": OVERALL_ACCURACY, "asc.objective_split": "validation", "asc.direction": "maximize"}
        tags |= {"asc.searched": json.dumps(trial.params)}
        return RunRecord(f"trial-{number}", "1", f"trial {number}", "FINISHED", params, metrics, tags, number, number)

    def _of_ensemble(self, members: Sequence[str]) -> dict[str, float]:
        """What is measured of an ensemble: the mean over its members, what its size gives, something of its own."""
        own = self.ensembles.setdefault(" ".join(members), self.rng.normal(size=5))
        many = float(np.log(len(members)))

        def mean(name: str) -> float:
            return float(np.mean([self.bank[key].metrics[name] for key in members]))

        metrics = {
            ENSEMBLE_ACCURACY: mean(OVERALL_ACCURACY) + 0.01 * many + 0.005 * own[0],
            f"{ENSEMBLE}/{UNSEEN_ACCURACY}": mean(UNSEEN_ACCURACY) + 0.01 * many + 0.005 * own[1],
            str(ENTROPY.on(ENSEMBLE)): mean("entropy") + 0.05 * many + 0.02 * own[2],
            TARGETS_ENTROPY: mean("entropy") + 0.05 * many + 0.02 * own[3],
            str(AGREEMENT): mean("agreement") + self.rng.normal(0, 0.01),
        }
        return metrics | ({str(DISAGREEMENT.on(ENSEMBLE)): 0.2 + 0.05 * own[4]} if len(members) > 1 else {})


def main() -> None:
    """Print the table; the number of studies per setting may be given."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        print(table(rates(studies=studies, map=partial(pool.map, chunksize=10))))


if __name__ == "__main__":
    main()
