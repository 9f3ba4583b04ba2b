"""The validation split: carved from the training fold by location, so that choices never touch the test fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.settings import Settings
from asc_experiments.corpus.index import TRAIN_FOLD, Corpus


class ValidationSplit(Settings):
    """How the validation clips are chosen.

    Attributes:
        fraction: about what part of the training fold is held out; 0 trains on the whole fold.
        hold_out_devices: training devices that are not trained on, as stand-ins for unseen ones.
        seed: decides which locations are held out.
    """

    fraction: float = Field(0.0, ge=0.0, le=0.5)
    hold_out_devices: tuple[str, ...] = Field((), strict=False)
    seed: int = Field(0, ge=0)

    def normalised(self) -> ValidationSplit:
        """The same split written in the one way that names it: sorted devices, no seed where nothing is held out."""
        devices = tuple(sorted(set(self.hold_out_devices)))
        return ValidationSplit(fraction=self.fraction, hold_out_devices=devices, seed=self.seed if self.fraction else 0)


def split_training_fold(corpus: Corpus, split: ValidationSplit) -> tuple[np.ndarray, np.ndarray]:
    """Divide the training fold into rows to train on and rows to validate on.

    Whole locations are held out, so that no place is heard in both parts, of every scene about the same share. A
    held-out device is dropped from training and kept in validation.

    Returns:
        Training rows and validation rows, both sorted int64.

    Raises:
        AscError: if a held-out device does not exist or a scene would be left without training or validation clips.
    """
    rows = corpus.train_rows
    where = Path(corpus.root) / TRAIN_FOLD
    trained = sorted(set(corpus.device_of[rows].tolist()))
    for device in split.hold_out_devices:
        if device not in trained:
            raise AscError("hold_out_devices", f"no training clip is from device '{device}'", nearest(device, trained))
    if split.fraction == 0.0:
        if split.hold_out_devices:
            raise AscError("hold_out_devices", "needs a validation split", "set a fraction above 0, say 0.2")
        return rows, rows[:0]
    held_out = _held_out_locations(corpus, split)
    in_training = ~held_out & ~np.isin(corpus.device_of[rows], split.hold_out_devices)
    for part, chosen in (("training", in_training), ("validation", held_out)):
        absent = set(range(len(corpus.scenes))) - set(corpus.labels[rows][chosen].tolist())
        if absent:
            scene = corpus.scenes[min(absent)]
            what = f"scene '{scene}' would have no {part} clip at a validation fraction of {split.fraction:g}"
            raise AscError(where, what, "change the fraction, or record more locations of it")
    return rows[in_training], rows[held_out]


def _held_out_locations(corpus: Corpus, split: ValidationSplit) -> np.ndarray:
    """A mask over the training fold; True for clips at the locations that are held out.

    Of each scene, locations are taken in random order while that brings its held-out clips nearer to the fraction: at
    least one, never all. (scikit-learn's StratifiedGroupKFold leaves scenes with few locations without any.)
    """
    rng = np.random.default_rng(split.seed)
    locations = np.array([corpus.clips[row].location for row in corpus.train_rows])
    labels = corpus.labels[corpus.train_rows]
    held_out: list[str] = []
    for label in range(len(corpus.scenes)):
        names, counts = np.unique(locations[labels == label], return_counts=True)
        wanted, taken = split.fraction * counts.sum(), 0
        for place in rng.permutation(len(names))[: len(names) - 1]:
            if taken and abs(taken + counts[place] - wanted) > abs(taken - wanted):
                continue
            held_out.append(str(names[place]))
            taken += int(counts[place])
    return np.isin(locations, held_out)
