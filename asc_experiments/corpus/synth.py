"""A synthetic corpus in the TAU layout, on which the phenomena of the real one exist.

Ten scenes that overlap but can be learned, nine devices of which three (s4, s5, s6) are never trained on, a real gap
between seen and unseen devices, several locations per scene, lists of a part of the training clips as in DCASE 2024,
wrong labels where they are asked for, and a folder ``dirs`` of impulse responses for DIR that are none of the nine
devices. Made of shaped noise and simple events: for trying the software, not for publishing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.corpus import made_up_sound as sounds
from asc_experiments.corpus.made_up_sound import COLOUR_DB, DIR_COLOUR_DB, PLACE_DB, PLACE_KNOTS, RATE, SCENES
from asc_experiments.corpus.new_folder import new_folder
from asc_experiments.corpus.reader import NOISE_FILE, TEST, TRAIN, Clip
from asc_experiments.corpus.readers.tau import FOLD_COLUMNS, write_table, write_tables

TRAINED_DEVICES = ("a", "b", "c", "s1", "s2", "s3")
UNSEEN_DEVICES = ("s4", "s5", "s6")
MIN_CLIPS_PER_SCENE = 20
MOST_LABEL_NOISE = 0.5
"""Of the training clips: with more wrong labels there would be little to learn."""

PERCENTS = (5, 10, 25, 50, 100)
"""Of the training clips, in the lists ``evaluation_setup/split5.csv`` and so on, as DCASE 2024 has them."""

_N_DIRS = 12
_REFERENCE_SHARE = 0.6
_TRAIN_SHARE = 0.65
_TRAIN_LOCATIONS, _TEST_LOCATIONS = 6, 3
_MANY_CLIPS, _CLIPS_PER_TEST_LOCATION = 60, 4
"""With more clips per scene than so many there are more test locations, one for so many test clips."""


def synthesise(folder: Path, clips_per_scene: int = 60, seed: int = 0, label_noise: float = 0.0) -> int:
    """Write the synthetic corpus.

    Args:
        folder: where to; must not exist yet, or be empty.
        clips_per_scene: training and test clips of each scene together, at least 20.
        seed: decides every sample.
        label_noise: what part of each scene's training clips sound like another scene, 0 to 0.5: their labels are
            wrong. Test clips have right ones.

    Returns:
        The number of clips written.

    Raises:
        AscError: if the folder is in use, too few clips are asked for, or too many wrong labels.
    """
    if not 0 <= label_noise <= MOST_LABEL_NOISE:
        what = f"{label_noise:g} is no part of the training clips that may have wrong labels"
        raise AscError("--label-noise", what, f"give a number from 0 to {MOST_LABEL_NOISE}")
    if clips_per_scene < MIN_CLIPS_PER_SCENE:
        what = f"{clips_per_scene} is too few to cover nine devices"
        raise AscError("--clips-per-scene", what, f"ask for {MIN_CLIPS_PER_SCENE} or more")
    with new_folder(folder) as partial:
        (partial / "audio").mkdir()
        (partial / "dirs").mkdir()
        clips = _write_audio(partial, clips_per_scene, seed, label_noise)
        write_tables(partial, clips)
        if label_noise:
            (partial / NOISE_FILE).write_text(f"{label_noise:g}\n")
        train = [(clip.filename, clip.scene) for clip in clips if clip.fold == TRAIN]
        for percent in PERCENTS:
            write_table(partial / f"evaluation_setup/split{percent}.csv", FOLD_COLUMNS, _listed(train, percent))
    return len(clips)


def _write_audio(folder: Path, clips_per_scene: int, seed: int, label_noise: float) -> list[Clip]:
    rng = np.random.default_rng([seed, 1])
    scenes = sounds.scenes(np.random.default_rng([seed, 2]))
    device_rng = np.random.default_rng([seed, 3])
    devices = {name: sounds.colour(device_rng, db) for name, db in COLOUR_DB.items()}
    for number in range(_N_DIRS):
        response = sounds.impulse_response(sounds.colour(device_rng, DIR_COLOUR_DB))
        soundfile.write(folder / "dirs" / f"synthetic_{number:02d}.wav", response, RATE, subtype="PCM_24")
    clips: list[Clip] = []
    with progress(len(SCENES) * clips_per_scene, "synthesising", "clips") as advance:
        for index, name in enumerate(SCENES):
            places = [
                rng.normal(0, PLACE_DB, PLACE_KNOTS) for _ in range(_TRAIN_LOCATIONS + _test_locations(clips_per_scene))
            ]
            plan = _plan(clips_per_scene, index)
            heard = _heard(np.random.default_rng([seed, 4, index]), index, plan, label_noise)
            for number, (device, place, trained) in enumerate(plan):
                samples = sounds.one_second(rng, scenes[heard[number]], places[place], devices[device])
                location = 1000 + max(20, len(places)) * index + place
                filename = f"audio/{name}-synthville-{location}-{number // 10}-{number % 10}-{device}.wav"
                soundfile.write(folder / filename, samples, RATE, subtype="PCM_16")
                clips.append(Clip(filename, name, f"synthville-{location}", device, TRAIN if trained else TEST))
                advance()
    return clips


def _plan(clips_per_scene: int, scene: int) -> list[tuple[str, int, bool]]:
    """Device, location and fold of each clip of one scene: mostly device a in training, all nine equally in test."""
    n_train = round(_TRAIN_SHARE * clips_per_scene)
    n_reference = round(_REFERENCE_SHARE * n_train)
    plan = []
    for number in range(n_train):
        device = "a" if number < n_reference else TRAINED_DEVICES[1 + (number - n_reference) % 5]
        plan.append((device, number % _TRAIN_LOCATIONS, True))
    every = TRAINED_DEVICES + UNSEEN_DEVICES
    for number in range(clips_per_scene - n_train):
        device = every[(number + scene) % len(every)]  # shifted, so that even a small corpus tests all nine
        plan.append((device, _TRAIN_LOCATIONS + number % _test_locations(clips_per_scene), False))
    return plan


def _heard(rng: np.random.Generator, scene: int, plan: list[tuple[str, int, bool]], label_noise: float) -> list[int]:
    """Which scene each clip of a plan sounds like: another one in so large a part of the training clips."""
    trained = [number for number, (_, _, is_trained) in enumerate(plan) if is_trained]
    heard = [scene] * len(plan)
    for number in rng.permutation(trained)[: round(label_noise * len(trained))]:
        heard[number] = (scene + int(rng.integers(1, len(SCENES)))) % len(SCENES)
    return heard


def _test_locations(clips_per_scene: int) -> int:
    """How many of each scene: more in a large corpus, because differences are told from chance over places."""
    if clips_per_scene <= _MANY_CLIPS:
        return _TEST_LOCATIONS
    return round((1 - _TRAIN_SHARE) * clips_per_scene) // _CLIPS_PER_TEST_LOCATION


def _listed(train: list[tuple[str, str]], percent: int) -> list[tuple[str, str]]:
    """So many percent of each scene's training clips, two at least: each shorter list is part of the longer ones.

    Clips are taken at golden-ratio steps, which spreads them over places and devices.
    """
    chosen = set[tuple[str, str]]()
    for scene in SCENES:
        clips = [clip for clip in train if clip[1] == scene]
        order = sorted(range(len(clips)), key=lambda number: number * 0.618034 % 1)
        chosen |= {clips[number] for number in order[: max(2, round(percent * len(clips) / 100))]}
    return [clip for clip in train if clip in chosen]
