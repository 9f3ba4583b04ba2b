"""A corpus of made-up sound whose tables are a real one's, at any fraction of its size.

What is slow at 230,350 clips shows on no corpus of hundreds. TAU22's tables (meta, folds, DCASE 2024's lists) say what
is there: scenes, places, devices that recorded at the same time, recordings of ten clips. Its clips are mono WAV files
of 24 bits at 44.1 kHz, and so are these. Clips of no fold are in the tables alone, as nothing reads them.
"""

from __future__ import annotations

import lzma
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError, Problem, ProblemsError
from asc_experiments.base.hashing import digest_json
from asc_experiments.base.processors import end_with_parent, processors
from asc_experiments.base.progress import progress
from asc_experiments.corpus import made_up_sound as sounds
from asc_experiments.corpus.index import read_clips
from asc_experiments.corpus.made_up_sound import COLOUR_DB, DIR_COLOUR_DB, PLACE_DB, PLACE_KNOTS, RATE, SCENES
from asc_experiments.corpus.new_folder import new_folder
from asc_experiments.corpus.reader import MADE_UP_FILE, TRAIN, UNUSED, Clip
from asc_experiments.corpus.readers.tau import (
    FOLD_COLUMNS,
    META,
    TEST_FOLD,
    TRAIN_FOLD,
    TauReader,
    write_table,
    write_tables,
)
from asc_experiments.corpus.tables import read_table

_TABLES = {META: "*meta.csv*", TRAIN_FOLD: "*fold1_train.csv*", TEST_FOLD: "*fold1_evaluate*.csv*"}
_LISTS = "*split[0-9]*.csv*"
_PREFIX = "tau22"
_RESPONSES, _NOISES = 66, 128
_RESPONSE_SAMPLES = (15_000, 22_051)
"""As long as those of MicIRP, 0.34 to 0.5 s."""
_CLIPS_PER_TASK, _FEW_CLIPS = 200, 2_000
"""A task of a process, and how many clips are made before processes would be ready."""
_FULL_SCALE = 2.0**23


@dataclass(frozen=True)
class Made:
    """What was written: clips with sound, clips in the tables, and the lists of training clips by their names."""

    sounds: int
    rows: int
    lists: dict[str, int]


def make_corpus(tables: Path, folder: Path, fraction: float = 1.0, seed: int = 0) -> Made:
    """Write a corpus of made-up sound with the tables of a real one.

    Args:
        tables: a folder with TAU22's ``meta.csv``, ``fold1_train.csv`` and ``fold1_evaluate.csv``, and lists such as
            ``split25.csv``, in it or in ``evaluation_setup``; also compressed (``.xz``), and with a name before theirs.
        folder: where to; must not exist yet, or be empty.
        fraction: of the recordings; whole ones are taken, of each scene and fold evenly over lists, devices and places.
        seed: decides every sample, and which recordings are taken.

    Raises:
        AscError: if a table is missing, the folder is in use, or too little is left of a scene.
        ProblemsError: if a table is wrong.
    """
    with new_folder(folder) as partial:
        lists = _unpack(tables, partial)
        clips, problems = read_clips(partial, TauReader())
        if problems:
            raise ProblemsError(problems, "correct that first")
        names = {name: _listed(partial, name) for name in lists}
        kept = list(_thinned(clips, names, fraction, seed))
        _check(kept, fraction)
        write_tables(partial, kept)
        in_corpus = {clip.filename for clip in kept}
        for name, listed in names.items():
            rows = [(clip.filename, clip.scene) for clip in kept if clip.filename in listed]
            write_table(partial / name, FOLD_COLUMNS, rows)
        (partial / MADE_UP_FILE).write_text("asc bench corpus: real tables, made-up sound\n")
        heard = [clip for clip in kept if clip.fold != UNUSED]
        _write_sounds(partial, heard, seed)
    sizes = {Path(name).stem: len(listed & in_corpus) for name, listed in names.items()}
    return Made(len(heard), len(kept), sizes)


def _unpack(tables: Path, into: Path) -> list[str]:
    """Put the tables where the layout has them; returns where the lists are."""
    (into / TRAIN_FOLD).parent.mkdir()
    for name, pattern in _TABLES.items():
        _copy(_found(tables, pattern), into / name)
    lists = []
    for path in _matching(tables, _LISTS):
        name = f"{Path(TRAIN_FOLD).parent}/{path.name.partition('.')[0].rpartition('_')[2]}.csv"
        _copy(path, into / name)
        lists.append(name)
    return sorted(lists)


def _matching(tables: Path, pattern: str) -> list[Path]:
    found = [path for place in (tables, tables / "evaluation_setup") for path in sorted(place.glob(pattern))]
    return [path for path in found if path.name.endswith((".csv", ".csv.xz"))]


def _found(tables: Path, pattern: str) -> Path:
    """The table of a pattern; of several that of TAU22."""
    found = _matching(tables, pattern)
    chosen = [path for path in found if path.name.startswith(_PREFIX)] or found
    if not chosen:
        what = f"no table is called {pattern.replace('*', '')}, nor so with a name before it"
        raise AscError(tables, what, "give the folder of TAU22's tables, or of the corpus")
    return chosen[0]


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(lzma.decompress(source.read_bytes()) if source.suffix == ".xz" else source.read_bytes())


def _listed(root: Path, name: str) -> set[str]:
    problems: list[Problem] = []
    rows = read_table(root, name, FOLD_COLUMNS, problems) or []
    if problems:
        raise ProblemsError(problems, "correct that first")
    return {row["filename"] for row in rows}


def _thinned(clips: Sequence[Clip], lists: dict[str, set[str]], fraction: float, seed: int) -> Iterator[Clip]:
    """The clips of so large a part of the recordings, in the order of the tables.

    Recordings of a scene and fold are sorted by the lists, devices and places they are of, and taken at even steps from
    a random beginning: what is common stays common, and what is rare is not always left out.
    """
    recordings: dict[tuple[str, str], dict[tuple[str, str, str], list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        recording = (clip.device, clip.place, clip.recording or clip.filename)
        recordings[clip.fold, clip.scene][recording].append(clip)
    kept = set[str]()
    for (fold, scene), of_part in sorted(recordings.items()):
        order = sorted(
            of_part, key=lambda key: (-sum(of_part[key][0].filename in each for each in lists.values()), key)
        )
        begin = np.random.default_rng(_seed_of(seed, fold, scene)).random()
        positions = (np.arange(round(fraction * len(order)) + 1) + begin) / fraction
        kept |= {clip.filename for at in positions if at < len(order) for clip in of_part[order[int(at)]]}
    return (clip for clip in clips if clip.filename in kept)


def _seed_of(*of: object) -> int:
    """A seed for a random generator from whatever identifies what it draws."""
    return int(digest_json([str(each) for each in of])[:12], 16)


def _check(kept: Sequence[Clip], fraction: float) -> None:
    """Refuse a fraction that leaves nothing of a scene in a fold, and scenes or devices for which there is no sound."""
    scenes, devices = {clip.scene for clip in kept}, {clip.device for clip in kept}
    unknown = sorted(scenes - set(SCENES)) + sorted(devices - set(COLOUR_DB))
    if unknown:
        raise AscError("tables", f"there is no made-up sound of '{unknown[0]}'", "give the tables of TAU22")
    for fold in {clip.fold for clip in kept} - {UNUSED}:
        lacking = set(SCENES) - {clip.scene for clip in kept if clip.fold == fold}
        if lacking:
            what = f"leaves no {'training' if fold == TRAIN else 'test'} clip of '{min(lacking)}'"
            raise AscError(f"--fraction {fraction:g}", what, "ask for more")


def _write_sounds(folder: Path, clips: Sequence[Clip], seed: int) -> None:
    """Impulse responses, and every clip's file, by all processors."""
    (folder / "dirs").mkdir()
    rng = np.random.default_rng([seed, 3])
    for number in range(_RESPONSES):
        response = sounds.impulse_response(sounds.colour(rng, DIR_COLOUR_DB), n_fft=8_192)
        tail = np.zeros(rng.integers(*_RESPONSE_SAMPLES), dtype=np.float32)  # what they cost depends on their length
        tail[: len(response)] = response
        tail += 1e-4 * rng.normal(size=len(tail)).astype(np.float32)
        soundfile.write(folder / "dirs" / f"made_up_{number:02d}.wav", tail, RATE, subtype="PCM_24")
    for place in {(folder / clip.filename).parent for clip in clips}:
        place.mkdir(parents=True, exist_ok=True)
    if len(clips) <= _FEW_CLIPS:
        with progress(len(clips), "synthesising", "clips") as advance:
            for clip in clips:
                _write_piece(folder, [clip], seed)
                advance()
        return
    pieces = [clips[at : at + _CLIPS_PER_TASK] for at in range(0, len(clips), _CLIPS_PER_TASK)]
    with (
        progress(len(clips), "synthesising", "clips") as advance,
        ProcessPoolExecutor(processors(), get_context("spawn"), end_with_parent) as pool,
    ):
        for count in pool.map(_write_piece, [folder] * len(pieces), pieces, [seed] * len(pieces)):
            advance(count)


def _write_piece(folder: Path, clips: Sequence[Clip], seed: int) -> int:
    for clip in clips:
        rng = np.random.default_rng(_seed_of(seed, clip.filename))
        noise = _noises(seed)[rng.integers(_NOISES)] * np.exp(2j * np.pi * rng.random())
        samples = sounds.steady(noise, _gain(seed, clip.scene, clip.place, clip.device))
        loudness = 10 ** (rng.normal(0, 3) / 20)
        _write_24_bits(folder / clip.filename, samples * loudness)
    return len(clips)


@cache
def _noises(seed: int) -> np.ndarray:
    """Spectra of white noise: made once, they are most of a clip's time."""
    return np.stack([np.fft.rfft(np.random.default_rng([seed, 4, n]).normal(size=RATE)) for n in range(_NOISES)])


@cache
def _world(seed: int) -> tuple[list[sounds.Scene], dict[str, np.ndarray]]:
    """The scenes, and how each device colours them."""
    rng = np.random.default_rng([seed, 2])
    return sounds.scenes(rng), {name: sounds.colour(rng, db) for name, db in COLOUR_DB.items()}


@cache
def _place(seed: int, place: str) -> np.ndarray:
    return np.random.default_rng(_seed_of(seed, place)).normal(0, PLACE_DB, PLACE_KNOTS)


@lru_cache(maxsize=64)
def _gain(seed: int, scene: str, place: str, device: str) -> np.ndarray:
    scenes, devices = _world(seed)
    return sounds.steady_gain(scenes[SCENES.index(scene)], _place(seed, place), devices[device]).astype(np.float32)


def _write_24_bits(path: Path, samples: np.ndarray) -> None:
    """A mono WAV file of 24 bits, as TAU22's are."""
    whole = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i4")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(RATE)
        file.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
