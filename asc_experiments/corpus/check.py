"""Validate a whole corpus at once: tables and audio, every problem with its file and its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asc_experiments.base.errors import Problem
from asc_experiments.base.progress import progress
from asc_experiments.corpus.decoding import decode_all
from asc_experiments.corpus.index import Corpus, read_index


def check_corpus(root: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read every table and every clip of a corpus.

    Returns:
        Facts about the corpus (counts of clips, scenes, devices, groups, locations) and all problems found.
    """
    corpus, problems = read_index(root)
    if corpus is None:
        return {}, problems
    with progress(len(corpus.clips), "checking", "clips") as advance:
        for clip in decode_all(corpus.root, corpus.filenames):
            if clip.problem:
                problems.append(clip.problem)
            advance()
    return corpus_facts(corpus), problems


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    """What a corpus holds, for a table or JSON."""
    groups = corpus.device_groups()
    train, test = corpus.device_of[corpus.train_rows], corpus.device_of[corpus.test_rows]
    return {
        "clips": corpus.n_meta,
        "training_clips": corpus.n_train,
        "test_clips": len(corpus.clips) - corpus.n_train,
        "locations": len({clip.location for clip in corpus.clips}),
        "scenes": list(corpus.scenes),
        "devices": {
            d: {"group": groups[d], "training_clips": int((train == d).sum()), "test_clips": int((test == d).sum())}
            for d in corpus.devices
        },
    }
