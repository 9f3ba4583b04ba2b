"""Corpora: layouts, download, import, checks, splits, decoded waveforms, impulse responses, synthesis."""

from asc_experiments.base.lazy import answer_as_function
from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.reader import Clip, CorpusReader, register_corpus_reader
from asc_experiments.corpus.splits import ValidationSplit, split_training_fold
from asc_experiments.corpus.store import WaveformStore, prepare

__all__ = [
    "Clip", "Corpus", "CorpusReader", "ValidationSplit", "WaveformStore", "prepare",
    "register_corpus_reader", "split_training_fold",
]  # fmt: skip

answer_as_function(__name__, "asc_experiments.api.workspace")
