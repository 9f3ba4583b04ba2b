"""Cut a recording into mono clips, at the sampling rate and with the bits that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import Problem
from asc_experiments.corpus.audio import (
    MOST_SAMPLES_OF_A_CLIP,
    SAMPLE_RATE,
    OpenSound,
    promised_frames,
    to_int16,
    unfit,
)
from asc_experiments.corpus.importing.sources import Recording
from asc_experiments.corpus.reader import Clip

_FINE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")
"""What is written with 24 bits; everything else with 16."""
_HEADER_BYTES = 1 << 16
_REMEDY = "restore it from the original recording, or take it away"
_TOO_LARGE = "give a shorter --clip, or mix it down"
SILENT, ENDS = "silent clips", "ends shorter than a clip"


@dataclass(frozen=True)
class Sound:
    """What a recording's header says: ``samples`` of a clip, how many ``clips`` it holds, what is left at its end."""

    samples: int
    clips: int
    has_rest: bool
    bits: int


@dataclass
class Cut:
    """The clips that were written of a recording, and how many were left out, by the reason."""

    clips: list[Clip] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    problem: Problem | None = None


def look_at(root: Path, file: str, seconds: float) -> Sound | Problem:
    """Read a recording's header.

    Args:
        root: the source's folder.
        file: inside it.
        seconds: how long a clip is to be.
    """
    if problem := unfit(root, file):
        return problem
    try:
        with (root / file).open("rb") as opened:
            header = opened.read(_HEADER_BYTES)
        with OpenSound(root / file) as info:
            frames, rate, channels, subtype = info.count_frames(), info.samplerate, info.channels, info.subtype
    except FileNotFoundError:
        return Problem(file, f"no such file in {root}", "restore it, or take it out of the table")
    except (OSError, soundfile.LibsndfileError) as error:
        return Problem(file, f"not a readable sound file ({getattr(error, 'error_string', error)})", _REMEDY)
    samples = round(seconds * rate)
    if rate < SAMPLE_RATE:
        what = f"is sampled at {rate} Hz, below the {SAMPLE_RATE} Hz that the frontends need"
        return Problem(file, what, "use the original recording")
    if promised_frames(header, frames) > frames:
        return Problem(file, "is truncated: its header promises more than is there", _REMEDY)
    if samples * channels > MOST_SAMPLES_OF_A_CLIP:
        what = f"would give a clip of {samples:,} samples in each of {channels} channels, which is too large"
        return Problem(file, what, _TOO_LARGE)
    bits = 24 if subtype in _FINE else 16
    return Sound(samples, frames // samples, frames % samples > 0, bits)


def cut(root: Path, recording: Recording, sound: Sound, names: Sequence[str], into: Path) -> Cut:
    """Write the clips of a recording.

    Args:
        root: the source's folder.
        recording: one of its files.
        sound: what its header said.
        names: the file of each clip, inside the corpus.
        into: the corpus folder.
    """
    done = Cut()
    done.left_out[ENDS] += sound.has_rest
    try:
        with OpenSound(root / recording.file) as opened:
            for position, name in enumerate(names):
                block = opened.read(sound.samples, dtype="float64", always_2d=True)
                if len(block) < sound.samples:
                    done.problem = Problem(
                        recording.file, f"ends after {position} clips, unlike its header says", _REMEDY
                    )
                    return done
                if not np.isfinite(block).all():
                    done.problem = Problem(recording.file, "holds samples that are not finite", _REMEDY)
                    return done
                if (peak := np.abs(block).max(initial=0)) > 1:  # floats alone can be
                    what = f"has a peak of {peak:.3g}, above full scale"
                    done.problem = Problem(recording.file, what, "bring its samples into [-1, 1]")
                    return done
                mono = block.mean(axis=1)
                samples = _as_integers(mono, sound.bits)
                if not to_int16(mono).any():  # a corpus is decoded to 16 bits
                    done.left_out[SILENT] += 1
                    continue
                soundfile.write(into / name, samples, opened.samplerate, subtype=f"PCM_{sound.bits}")
                done.clips.append(Clip(name, recording.scene, recording.place, recording.device, recording.fold))
    except soundfile.LibsndfileError as error:
        done.problem = Problem(recording.file, f"cannot be read or cut ({error.error_string})", _REMEDY)
    return done


def _as_integers(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples in [-1, 1] as whole numbers of so many bits, in the upper ones of int32; what was whole stays."""
    most = 1 << (bits - 1)
    whole = np.clip(np.rint(samples * most), -most, most - 1).astype(np.int32)
    return whole << (32 - bits)
