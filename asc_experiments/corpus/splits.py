"""The validation split: carved from the training fold by location, so that choices never touch the test fold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from asc_experiments.base.errors import AscError, nearest, together
from asc_experiments.base.settings import ONE_OR_MORE, Settings
from asc_experiments.corpus.index import Corpus


class ValidationSplit(Settings):
    """How the validation clips are chosen.

    A clip of a held-out device can only be validated on where its place is held out: a network that was trained on
    other devices' clips of that place knows the place. Places drawn at random have few of them. So a split may prefer
    the places where the held-out devices recorded, or hold out all of those; other devices' clips of these places are
    validated on too, and not trained on.

    Attributes:
        fraction: about what part of the training fold is held out; 0 trains on the whole fold.
        hold_out_devices: training devices that are not trained on, as stand-ins for unseen ones.
        held_out_device_clips: how many of those devices' clips are validated on: ``some``, those of places drawn at
            random; ``most``, as many as fit into the fraction; ``all``, whatever fraction that takes.
        seed: decides which locations are held out.
    """

    fraction: float = Field(0.0, ge=0.0, le=0.5)
    hold_out_devices: Annotated[tuple[str, ...], ONE_OR_MORE] = Field((), strict=False)
    held_out_device_clips: Literal["some", "most", "all"] = "some"
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _clips_are_of_devices(self) -> ValidationSplit:
        if self.held_out_device_clips != "some" and not self.hold_out_devices:
            raise ValueError("held_out_device_clips is of held-out devices; name some in hold_out_devices")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the choice of places where it is off: keys of teachers and students of before stay what they are."""
        written: dict[str, Any] = write(self)
        if self.held_out_device_clips == "some":
            written.pop("held_out_device_clips", None)
        return written

    def normalised(self) -> ValidationSplit:
        """The same split written in the one way that names it: sorted devices, no seed where nothing is held out."""
        devices = tuple(sorted(set(self.hold_out_devices)))
        return self.model_copy(update={"hold_out_devices": devices, "seed": self.seed if self.fraction else 0})


def split_training_fold(corpus: Corpus, split: ValidationSplit) -> tuple[np.ndarray, np.ndarray]:
    """Divide the training fold into rows to train on and rows to validate on.

    Whole locations are held out, so that no place is heard in both parts, of every scene about the same share. A
    held-out device is dropped from training, and kept in validation at the locations that are held out.

    Returns:
        Training rows and validation rows, both sorted int64.

    Raises:
        AscError: if a held-out device does not exist or a scene would be left without training or validation clips.
    """
    rows = corpus.train_rows
    where = Path(corpus.root) / corpus.tables.train
    trained = corpus.columns.devices.take(rows).names
    unknown = [device for device in split.hold_out_devices if device not in trained]
    if unknown:
        what = "no training clip is from device '{}'"
        raise together(AscError("hold_out_devices", what.format(each), nearest(each, trained)) for each in unknown)
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
            if split.held_out_device_clips == "all":
                what = f"scene '{scene}' would have no {part} clip with all those of {_names(split)} held out"
                raise AscError(where, what, "set validation.held_out_device_clips to most")
            raise AscError(where, what, "change the fraction, or record more locations of it")
    return rows[in_training], rows[held_out]


def _held_out_locations(corpus: Corpus, split: ValidationSplit) -> np.ndarray:
    """A mask over the training fold; True for clips at the locations that are held out.

    Of each scene, locations are taken in random order while that brings its held-out clips nearer to the fraction: at
    least one, never all. (scikit-learn's StratifiedGroupKFold leaves scenes with few locations without any.) Where
    most clips of held-out devices are asked for, those come first of which they recorded the largest part; where all
    are, every location that they recorded at is taken.
    """
    rng = np.random.default_rng(split.seed)
    locations, labels = corpus.locations.codes[corpus.train_rows], corpus.labels[corpus.train_rows]
    is_of_device = np.isin(corpus.device_of[corpus.train_rows], split.hold_out_devices)
    held_out: list[int] = []
    for label in range(len(corpus.scenes)):
        places, place_of, counts = np.unique(locations[labels == label], return_inverse=True, return_counts=True)
        of_device = np.bincount(place_of, is_of_device[labels == label], minlength=len(places))
        order = rng.permutation(len(places))
        if split.held_out_device_clips != "some":
            order = order[np.argsort(-(of_device / counts)[order], kind="stable")]
        takes_all = split.held_out_device_clips == "all"
        wanted, taken = split.fraction * counts.sum(), 0
        for turn, place in enumerate(order):
            is_last = turn == len(places) - 1
            is_too_much = is_last or (taken and abs(taken + counts[place] - wanted) > abs(taken - wanted))
            if not is_too_much or (takes_all and of_device[place]):
                held_out.append(int(places[place]))
                taken += int(counts[place])
    return np.isin(locations, held_out)


def held_out_device_clips(corpus: Corpus, split: ValidationSplit) -> dict[str, tuple[int, int]]:
    """Of each held-out device, how many of its clips of the training fold are validated on, and how many there are."""
    _, validation = split_training_fold(corpus, split)
    used, every = (Counter(corpus.device_of[rows].tolist()) for rows in (validation, corpus.train_rows))
    return {device: (used[device], every[device]) for device in split.normalised().hold_out_devices}


def _names(split: ValidationSplit) -> str:
    return " and ".join(split.hold_out_devices)
