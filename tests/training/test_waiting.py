"""A training never waits for the device it runs on, but once at the end of an epoch. (Checked on the CPU.)"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.training import KL, ClipSource, SoftTargets, Trainer, make_recipe


class Waits(TorchDispatchMode):
    """Counts operations whose result has a shape or a value that the host has to know."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "_local_scalar_dense" and args[0].dtype == torch.int64:
            return func(*args)  # PaSST's time patchout: a whole number that the host has just drawn itself
        masks = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in self.WAITING or any(mask is not None and mask.dtype == torch.bool for mask in masks):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
@pytest.mark.parametrize("distilled", [False, True], ids=["labels", "distilled"])
def test_epoch_waits_once_however_many_steps_it_has(
    synth_corpus: Path, cache: Path, arch: str, distilled: bool
) -> None:
    corpus = Corpus.open(synth_corpus)
    waveforms = prepare(corpus, cache).waveforms[:, :16_000]
    clips = ClipSource(np.ascontiguousarray(waveforms), corpus.labels, corpus.device_of == "a", torch.device("cpu"))
    size = {"cp_mobile": {"base_channels": 8}, "cp_resnet": {"base_channels": 10}, "passt": {"size": "xxs"}}[arch]
    recipe = make_recipe(arch, "dirfms", epochs=1, batch_size=8, dir_probability=1.0, fms_probability=1.0, **size)
    targets = None
    if distilled:
        logits = np.random.default_rng(0).normal(size=(len(corpus.clips), 10)).astype(np.float32)
        targets = SoftTargets(logits, KL(temperature=2.0, label_weight=0.1))
    trainer = Trainer(recipe, clips, corpus.scenes, load_impulse_responses(synth_corpus / "dirs").responses, targets)
    for clips_of_epoch in (16, 48):
        with Waits() as waits:
            trainer.train_epoch(corpus.train_rows[:clips_of_epoch])
        assert waits.found == ["_local_scalar_dense"], "the epoch's loss"
