"""Corpora in the TAU layout: download, index, checks, splits, decoded waveforms, impulse responses, synthesis."""

from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.splits import ValidationSplit, split_training_fold
from asc_experiments.corpus.store import WaveformStore, prepare

__all__ = ["Corpus", "ValidationSplit", "WaveformStore", "prepare", "split_training_fold"]
