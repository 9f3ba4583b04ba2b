"""Validate a whole corpus at once: tables and audio, every problem with its file and its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asc_experiments.base.errors import AscError, Problem
from asc_experiments.base.progress import progress
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.corpus.decoding import Decoded, decode_all, measure_all, uneven
from asc_experiments.corpus.index import Corpus, misplaced, read_index
from asc_experiments.corpus.train_split import read_train_split

_PLACES_NAMED = 5
DECODED_UNASKED = 5_000
"""The clips of a corpus of this size are decoded within seconds, and so without being asked to."""


def check_corpus(
    root: Path, train_split: Path | None = None, deep: bool | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Read what a corpus says of its clips, and every clip.

    Args:
        root: the corpus folder.
        train_split: a list of training clips, which is checked too.
        deep: whether every clip is decoded, as it is when it is prepared; else headers are read, which does not find
            what is silent, louder than full scale, or damaged behind its header. By default where that takes seconds.

    Returns:
        Facts about the corpus (how long most clips are; counts of clips, scenes, devices, groups, places; warnings,
        as lines) and all problems found.
    """
    corpus, problems = read_index(root)
    if corpus is None:
        return {}, problems
    if (elsewhere := misplaced(corpus)) is not None:  # which the index tells of; a line per clip would bury it
        return corpus_facts(corpus), problems if elsewhere in problems else [*problems, elsewhere]
    deep = len(corpus.clips) <= DECODED_UNASKED if deep is None else deep
    decoded = []
    with progress(len(corpus.clips), "checking", "clips") as advance:
        for clip in (decode_all if deep else measure_all)(corpus.root, corpus.filenames):
            decoded.append(clip)
            advance()
    problems += [clip.problem for clip in decoded if clip.problem] + uneven(corpus.filenames, decoded)
    facts = corpus_facts(corpus) | {"decoded": deep}
    lengths = Counter(clip.samples for clip in decoded if clip.problem is None)
    if lengths:
        facts = {"clip_seconds": lengths.most_common(1)[0][0] / SAMPLE_RATE} | facts
    if loud := _above_full_scale(corpus, decoded):
        facts["warnings"].append(loud.line())
    listed = {}
    if train_split is not None:
        try:
            listed = _facts_of_list(corpus, train_split)
        except AscError as error:
            problems.append(Problem(error.where, error.what, error.remedy))
    return facts | listed, problems


def _above_full_scale(corpus: Corpus, decoded: Sequence[Decoded]) -> Problem | None:
    """What is to be said of clips that are louder than 16 bits can hold."""
    loud = [(clip.peak, name) for clip, name in zip(decoded, corpus.filenames, strict=True) if clip.peak > 1]
    if not loud:
        return None
    peak, name = max(loud)
    some = "1 clip goes" if len(loud) == 1 else f"{len(loud)} of {len(decoded)} clips go"
    what = f"{some} above full scale, the loudest to {peak:.3g} times of it"
    remedy = "what is above is cut, in training and in prediction alike; to keep it, divide all clips by one number"
    return Problem(name, what, remedy)


def _facts_of_list(corpus: Corpus, path: Path) -> dict[str, Any]:
    """What a list of training clips holds.

    Raises:
        AscError: if it is none of this corpus, or a scene has no clip in it.
    """
    found = read_train_split(path, corpus)
    rows = found.of(corpus.train_rows)
    counts = Counter(corpus.columns.scenes.take(rows).texts())
    lacking = [scene for scene in corpus.scenes if scene not in counts]
    if lacking:
        raise AscError(path, f"scene '{lacking[0]}' has no training clip", "list some")
    return {"train_split": found.name, "listed_clips": found.clips, "listed_per_scene": dict(sorted(counts.items()))}


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    """What a corpus holds, for a table or JSON."""
    groups = corpus.device_groups()
    train, test = corpus.device_of[corpus.train_rows], corpus.device_of[corpus.test_rows]
    warnings = [warning.line() for warning in (_places_in_both_folds(corpus),) if warning]
    return {
        "clips": corpus.n_meta,
        "training_clips": corpus.n_train,
        "test_clips": len(corpus.clips) - corpus.n_train,
        "places": len(corpus.locations.names),
        "scenes": list(corpus.scenes),
        "reference_device": corpus.reference_device,
        "devices": {
            d: {"group": groups[d], "training_clips": int((train == d).sum()), "test_clips": int((test == d).sum())}
            for d in corpus.devices
        },
        "warnings": warnings,
    }


def _places_in_both_folds(corpus: Corpus) -> Problem | None:
    """What is to be said of a corpus whose test fold was recorded at places that are trained on."""
    shared = corpus.shared_places()
    if not shared.places:
        return None
    named = ", ".join(shared.places[:_PLACES_NAMED]) + (", …" if len(shared.places) > _PLACES_NAMED else "")
    some = "1 place is" if len(shared.places) == 1 else f"{len(shared.places)} places are"
    what = f"{some} in {corpus.tables.train} too, with {shared.clips} of {shared.of} test clips ({named})"
    return Problem(corpus.tables.test, what, "test scores are flattered: keep all clips of a place in one fold")
