"""What a study was made with: corpus, clips, scenes, devices, machine, days; as the tracking server tells it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from asc_experiments.metrics import ACCURACY, SCENE
from asc_experiments.report.data.study_runs import GROUPS, StudyRuns, group_word
from asc_experiments.report.words import counted, listed
from asc_experiments.tracking.registry.candidate import made_up_in_words
from asc_experiments.tracking.trials import CLIP_SECONDS, MACHINE, clip_seconds

_NOT_LOGGED = "not logged by the version that ran this study"
_MOST_NAMES = 12


@dataclass(frozen=True)
class Setting:
    """What a study was made with; what is not known is None or empty.

    Attributes:
        corpus: its name.
        label_noise: of a synthetic corpus: what part of its training clips has a wrong label on purpose.
        training, validation, test: clips of each.
        clip_seconds: how long each is; None where an earlier version did not say.
        train_splits: lists of clips that trials are trained on; the clips are those of the best one then.
        split: what trials are compared on: ``validation`` or ``test``.
        scenes: their names.
        devices: those of the test fold, by group where groups are known, else under an empty name.
        machines: how many runs were trained on each.
        began, ended: the days of its first and last trial, UTC.
    """

    corpus: str | None
    label_noise: float | None
    training: int | None
    validation: int | None
    test: int | None
    clip_seconds: float | None
    train_splits: tuple[str, ...]
    split: str
    scenes: tuple[str, ...]
    devices: dict[str, tuple[str, ...]]
    machines: Counter[str]
    began: date | None
    ended: date | None


def setting_of(study: StudyRuns) -> Setting:
    """The setting of a study that was read before."""
    data, teachers = study.data, tuple(study.trained_for.values())
    machines = Counter(run.tags[MACHINE] for run in (*study.runs, *teachers) if MACHINE in run.tags)
    groups = {
        group: tuple(device for device in study.devices if study.group_of.get(device, "") == group)
        for group in (*GROUPS, "")
    }
    days = [_day(time) for run in study.runs for time in (run.start_time, run.end_time) if time is not None]
    return Setting(
        corpus=data.name,
        label_noise=data.label_noise,
        training=data.training_clips,
        validation=data.validation_clips,
        test=data.test_clips,
        clip_seconds=max((clip_seconds(t) for t in study.trials if CLIP_SECONDS in t.tags), default=None),
        train_splits=tuple(dict.fromkeys(t.params["train_split"] for t in study.trials if "train_split" in t.params)),
        split=study.split,
        scenes=scenes_of(study),
        devices={group: names for group, names in groups.items() if names},
        machines=machines,
        began=min(days, default=None),
        ended=max(days, default=None),
    )


def scenes_of(study: StudyRuns) -> tuple[str, ...]:
    """The scenes that networks were scored on, by name."""
    return tuple(sorted(ACCURACY.of(SCENE).members(study.metric_names)))


def setting_in_words(setting: Setting) -> tuple[tuple[str, str], ...]:
    """A heading and its text for everything that is to be said of a setting."""
    held_out, test = "held out to choose by", "test"
    if setting.split == "test":
        held_out, test = "held out (chose nothing)", "test (chose the best trial)"
    counts = ((setting.training, "training"), (setting.validation, held_out), (setting.test, test))
    clips = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    clips += f", of {setting.clip_seconds:g} s each" if clips and setting.clip_seconds is not None else ""
    told = [
        ("Corpus", f"{setting.corpus or 'not logged'}{made_up_in_words(setting.label_noise)}"),
        ("Clips", clips or "not logged"),
    ]
    if setting.train_splits:
        best = "; the clips above are those of the best trial" if len(setting.train_splits) > 1 else ""
        told.append(("Training lists", listed(setting.train_splits, _MOST_NAMES) + best))
    if setting.scenes:
        told.append(("Scenes", f"{len(setting.scenes)}: {listed(setting.scenes, _MOST_NAMES)}"))
    if setting.devices:
        told.append(("Devices of the test fold", _devices(setting.devices)))
    told.append(("Trained on", _machines(setting.machines) or _NOT_LOGGED))
    if setting.began is not None and setting.ended is not None:
        told.append(("Date", _days(setting.began, setting.ended)))
    return tuple(told)


def setting_facts(setting: Setting) -> dict[str, Any]:
    """For JSON."""
    days = {"began": setting.began, "ended": setting.ended}
    return vars(setting) | {name: None if day is None else day.isoformat() for name, day in days.items()}


def _devices(devices: dict[str, tuple[str, ...]]) -> str:
    n = sum(map(len, devices.values()))
    parts = [f"{group_word(group)} {listed(names, _MOST_NAMES)}".strip() for group, names in devices.items()]
    return f"{n}: {'; '.join(parts)}"


def _machines(machines: Counter[str]) -> str:
    if len(machines) == 1:
        return next(iter(machines))
    return listed([f"{machine} ({counted(count, 'run')})" for machine, count in machines.most_common()])


def _days(began: date, ended: date) -> str:
    def said(day: date) -> str:
        return f"{day:%-d %B %Y}"

    return said(began) if began == ended else f"{said(began)} to {said(ended)}"


def _day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()
