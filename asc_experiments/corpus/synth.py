"""A synthetic corpus in the TAU layout, on which the phenomena of the real one exist.

Ten scenes that overlap but can be learned, nine devices of which three (s4, s5, s6) are never trained on, a real gap
between seen and unseen devices, several locations per scene, lists of a part of the training clips as in DCASE 2024,
wrong labels where they are asked for, and a folder ``dirs`` of impulse responses for DIR that are none of the nine
devices. Made of shaped noise and simple events: for trying the software, not for publishing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.corpus.new_folder import new_folder
from asc_experiments.corpus.reader import NOISE_FILE, TEST, TRAIN, Clip
from asc_experiments.corpus.readers.tau import FOLD_COLUMNS, write_table, write_tables

RATE = 44_100
"""Sampling rate of the written clips in Hz, as in TAU22; each lasts one second."""
SCENES = (
    "airport", "bus", "metro", "metro_station", "park",
    "public_square", "shopping_mall", "street_pedestrian", "street_traffic", "tram",
)  # fmt: skip
TRAINED_DEVICES = ("a", "b", "c", "s1", "s2", "s3")
UNSEEN_DEVICES = ("s4", "s5", "s6")
MIN_CLIPS_PER_SCENE = 20
MOST_LABEL_NOISE = 0.5
"""Of the training clips: with more wrong labels there would be little to learn."""

PERCENTS = (5, 10, 25, 50, 100)
"""Of the training clips, in the lists ``evaluation_setup/split5.csv`` and so on, as DCASE 2024 has them."""

_COLOUR_DB = {"a": 1.0, "b": 4.0, "c": 4.0, "s1": 6.0, "s2": 6.0, "s3": 6.0, "s4": 11.0, "s5": 11.0, "s6": 11.0}
_DIR_COLOUR_DB = 9.0
_N_DIRS = 12
_REFERENCE_SHARE = 0.6
_TRAIN_SHARE = 0.65
_TRAIN_LOCATIONS, _TEST_LOCATIONS = 6, 3
_MANY_CLIPS, _CLIPS_PER_TEST_LOCATION = 60, 4
"""With more clips per scene than so many there are more test locations, one for so many test clips."""
_LEVEL = 0.06
_FREQUENCIES = np.fft.rfftfreq(RATE, 1 / RATE)
_OCTAVES = np.log2(np.maximum(_FREQUENCIES, 20.0) / 20.0)


@dataclass(frozen=True)
class _Scene:
    """A noise spectrum in dB over frequency, a modulation, and the rate and pitch of its events."""

    spectrum_db: np.ndarray
    modulation_hz: float
    modulation_depth: float
    events_per_s: float
    event_hz: float


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
    scenes = _scenes(np.random.default_rng([seed, 2]))
    device_rng = np.random.default_rng([seed, 3])
    devices = {name: _colour(device_rng, db) for name, db in _COLOUR_DB.items()}
    for number in range(_N_DIRS):
        response = _impulse_response(_colour(device_rng, _DIR_COLOUR_DB))
        soundfile.write(folder / "dirs" / f"synthetic_{number:02d}.wav", response, RATE, subtype="PCM_24")
    clips: list[Clip] = []
    with progress(len(SCENES) * clips_per_scene, "synthesising", "clips") as advance:
        for index, name in enumerate(SCENES):
            places = [rng.normal(0, 2.5, 8) for _ in range(_TRAIN_LOCATIONS + _test_locations(clips_per_scene))]
            plan = _plan(clips_per_scene, index)
            heard = _heard(np.random.default_rng([seed, 4, index]), index, plan, label_noise)
            for number, (device, place, trained) in enumerate(plan):
                samples = _clip(rng, scenes[heard[number]], places[place], devices[device])
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


def _scenes(rng: np.random.Generator) -> list[_Scene]:
    """Neighbouring scenes share half of their spectral bumps, which is what makes them hard to tell apart."""
    bumps = [(rng.uniform(1.0, 9.5), rng.uniform(6, 14), rng.uniform(0.3, 0.9)) for _ in range(len(SCENES) + 1)]
    scenes = []
    for number in range(len(SCENES)):
        own, shared = bumps[number], bumps[number + 1]
        spectrum = -3.0 * _OCTAVES  # like most outdoor noise, less energy per hertz towards the top
        for centre, height, width in (own, shared):
            spectrum = spectrum + height * np.exp(-0.5 * ((_OCTAVES - centre) / width) ** 2)
        rate, pitch = rng.choice([0.0, 2.0, 5.0]), float(rng.uniform(300, 6000))
        scenes.append(_Scene(spectrum, float(rng.uniform(1, 12)), float(rng.uniform(0, 0.8)), float(rate), pitch))
    return scenes


def _colour(rng: np.random.Generator, deviation_db: float) -> np.ndarray:
    """A smooth random frequency response in dB with the given standard deviation."""
    knots = np.arange(0.0, 11.0)
    return np.interp(_OCTAVES, knots, rng.normal(0, deviation_db, len(knots)))


def _clip(rng: np.random.Generator, scene: _Scene, place_db: np.ndarray, device_db: np.ndarray) -> np.ndarray:
    """One second of a scene at a place, as one device hears it; ``(RATE,)`` float."""
    place = np.interp(_OCTAVES, np.linspace(0, 10, len(place_db)), place_db)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=RATE)) * _gain(scene.spectrum_db + place), RATE)
    time = np.arange(RATE) / RATE
    phase = rng.uniform(0, 2 * np.pi)
    noise *= 1 + scene.modulation_depth * np.sin(2 * np.pi * scene.modulation_hz * time + phase)
    scale = noise.std()
    for _ in range(rng.poisson(scene.events_per_s)):
        start, pitch = rng.uniform(0, 0.9), scene.event_hz * rng.uniform(0.9, 1.1)
        envelope = np.where(time >= start, np.exp(-(time - start) / 0.06), 0.0)
        noise += 3 * scale * envelope * np.sin(2 * np.pi * pitch * time)
    heard = np.fft.irfft(np.fft.rfft(noise) * _gain(device_db), RATE)
    heard *= _LEVEL * 10 ** (rng.normal(0, 3) / 20) / heard.std()
    return np.clip(heard, -1, 1)


def _gain(decibels: np.ndarray) -> np.ndarray:
    return 10 ** (decibels / 20)


def _impulse_response(colour_db: np.ndarray) -> np.ndarray:
    """A minimum-phase impulse response of 23 ms and unit energy with the given frequency response."""
    from scipy.signal import firwin2, minimum_phase

    grid = np.linspace(0, RATE / 2, 257)
    gain = _gain(np.interp(grid, _FREQUENCIES, colour_db))
    gain[-1] = 0.0
    linear = firwin2(1025, grid, gain, fs=RATE)
    response = minimum_phase(linear, half=False)
    return (response / np.linalg.norm(response)).astype(np.float32)


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
