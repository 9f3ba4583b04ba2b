"""Logits that any model computed, in a file or a table: matched to a corpus by the names of clips and scenes.

NumPy, CSV, TSV, Parquet, PyTorch and safetensors files are read, none with pickle's code. Where names stand beside the
numbers, rows and columns may come in any order; where they do not, rows are those of ``meta.csv``, or of the training
fold, in their order, and columns the scenes in alphabetical order.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import torch

from asc_experiments.base.errors import AscError, Problem, together
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.reader import reader_of
from asc_experiments.distill.logits import LogitTable
from asc_experiments.training.weights import read_tensors

_CLIPS = ("filename", "file", "clip", "filenames", "files", "clips")
"""What a column, or an array, of clip names is called."""
_SCENES, _VALUES = ("scenes", "scene_labels", "classes", "columns"), ("logits", "values")
_SECONDS = ("seconds", "clip_seconds")
_IGNORED = ("scene_label", "identifier", "source_label", "device_id", "device", "scene", "probability", "index")
"""Columns of TAU's tables and of predictions that stand beside the scenes'."""
_SHAPE = "(rows of meta.csv, scenes)"
_NAMED = 3
_SUM_OF_ONE = 1e-3


@dataclass(frozen=True, eq=False)
class NamedLogits:
    """Logits as they came.

    Attributes:
        values: ``(rows, columns)`` float32.
        clips: the name of each row's clip; None where none stand beside them.
        scenes: the scene of each column; None where none stand beside them.
        seconds: how long the clips are; None where nothing says it.
    """

    values: np.ndarray
    clips: tuple[str, ...] | None = None
    scenes: tuple[str, ...] | None = None
    seconds: float | None = None


def read_logit_file(path: Path) -> NamedLogits:
    """Read logits of any of the formats, with the names that stand beside them.

    ``.csv``, ``.tsv`` and ``.parquet`` hold a column ``filename`` and one per scene; ``.npz`` the arrays ``logits``,
    and where they are named ``filenames``, ``scenes``, and the ``seconds`` of a clip; ``.npy``, ``.pt`` and
    ``.safetensors`` the numbers alone.

    Raises:
        AscError: if it is none of these, or holds no table of numbers.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt", ".parquet", ".pq"):
        return logits_of_table(_read_table(path, suffix), path)
    if suffix == ".npz":
        return _of_arrays(path)
    if suffix == ".npy":
        return NamedLogits(_matrix(_load(path), path))
    content = read_tensors(path)
    if isinstance(content, Mapping) and len(content) == 1:
        content = next(iter(content.values()))
    return NamedLogits(_matrix(content.float().numpy() if _is_float(content) else None, path))


def logits_of_table(table: pd.DataFrame, where: object) -> NamedLogits:
    """Logits of a table: a column per scene, and the clips' names in a column ``filename`` or in the index.

    Args:
        table: a row per clip.
        where: what it came from, for the error.

    Raises:
        AscError: if columns that are not of the numbers' kind stand in it, or a name twice.
    """
    columns = [str(column) for column in table.columns]
    names = next((name for name in _CLIPS if name in columns), None)
    clips = table[names] if names is not None else table.index if table.index.dtype.kind in "OUT" else None
    if clips is None:
        remedy = "name the column of the clips 'filename'"
        raise AscError(where, f"has no column of clip names among {_some(columns)}", remedy)
    shown = [name for name in columns if name != names and name not in _IGNORED and not name.startswith("Unnamed:")]
    texts = [name for name in shown if table[name].dtype.kind not in "fiu"]
    if texts:
        raise AscError(where, f"holds no numbers in {_some(texts)}", "give a column of logits for each scene")
    values = table[shown].to_numpy(dtype=np.float32)
    return NamedLogits(values, tuple(map(str, clips)), tuple(name.removeprefix("probability/") for name in shown))


def with_clips(named: NamedLogits, path: Path, where: object) -> NamedLogits:
    """The same with the names of the rows' clips from a list.

    Args:
        named: what was read.
        path: a text with a name on each line, or a table with a column ``filename``.
        where: what the logits came from, for errors.

    Raises:
        AscError: if the list cannot be read, has another length, or the logits have names already.
    """
    if named.clips is not None:
        raise AscError("--clips", f"{where} names its clips itself", "omit it")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise AscError(path, f"cannot be read ({_first_line(error)})", "give a text with a name on each line") from None
    heading = lines[0].replace(",", "\t").split("\t") if lines else []
    place = next((heading.index(name) for name in _CLIPS if name in heading), None)
    if place is not None:
        lines = [line.replace(",", "\t").split("\t")[place] for line in lines[1:]]
    if len(lines) != len(named.values):
        raise AscError(path, f"has {len(lines)} names for the {len(named.values)} rows of {where}", "give one for each")
    return replace(named, clips=tuple(lines))


def as_logits(named: NamedLogits, probabilities: bool, where: object) -> NamedLogits:
    """Take the logarithm of probabilities; refuse logits that look like some.

    Args:
        named: what was read.
        probabilities: whether the numbers are said to be probabilities. Their logarithms are logits of the same
            answer: softmax gives the probabilities back.
        where: what it came from, for the error.

    Raises:
        AscError: if they are the other of the two.
    """
    values = named.values
    known = values[np.isfinite(values).all(axis=1)]
    like = bool(len(known)) and bool((known >= 0).all()) and bool(np.allclose(known.sum(axis=1), 1, atol=_SUM_OF_ONE))
    if like and not probabilities:
        remedy = "give --probabilities, which takes their logarithm, or the values before the softmax"
        raise AscError(where, "looks like probabilities: every row sums to 1", remedy)
    if probabilities and not like:
        raise AscError(where, "holds no probabilities: its rows do not sum to 1", "omit --probabilities")
    if not probabilities:
        return named
    return replace(named, values=np.log(np.maximum(values, np.finfo(np.float32).tiny)))


def match(named: NamedLogits, corpus: Corpus, where: object, optional: frozenset[str] = frozenset()) -> LogitTable:
    """The logits by the corpus's clips and scenes.

    Args:
        named: what was read.
        corpus: whose clips and scenes they are of.
        where: what it came from, for errors.
        optional: clips of the fold that need none, say those of the test fold.

    Raises:
        AscError: naming what is missing, what there is besides, and what is not finite, each at once.
    """
    scenes, clips = named.scenes or corpus.scenes, named.clips
    wrong = [*_wrong_scenes(named, corpus, where), *(_wrong_clips(clips, corpus, where, optional) if clips else ())]
    if wrong:
        raise together(wrong)
    values = named.values[:, [scenes.index(scene) for scene in corpus.scenes]]
    if clips is None:
        table = _by_place(values, corpus, where)
    else:
        rows = {clip: row for row, clip in enumerate(_clip_ids(clips, corpus))}
        names = tuple(name for name in corpus.filenames if name in rows)
        table = LogitTable(names, values[[rows[name] for name in names]])
    broken = np.flatnonzero(~np.isfinite(table.values).all(axis=1))
    if len(broken):
        first = _some([table.filenames[row] for row in broken])
        raise AscError(where, f"the logits of {first} are not finite", "compute them again, or omit test clips")
    return table


def _wrong_scenes(named: NamedLogits, corpus: Corpus, where: object) -> list[AscError]:
    columns, expected = named.values.shape[1], len(corpus.scenes)
    if named.scenes is None:
        if columns == expected:
            return []
        what = f"has {columns} columns, and the corpus {expected} scenes"
        return [AscError(where, what, "give logits of this corpus's scenes, in alphabetical order")]
    given, wanted = Counter(named.scenes), set(corpus.scenes)
    parts = (
        ("lacks a column of", sorted(wanted - given.keys()), "add it"),
        ("has columns that are no scenes of the corpus:", sorted(given.keys() - wanted), "remove or rename them"),
        ("has more than one column of", sorted(name for name, n in given.items() if n > 1), "keep one"),
    )
    return [AscError(where, f"{what} {_some(names)}", remedy) for what, names, remedy in parts if names]


def _wrong_clips(clips: Sequence[str], corpus: Corpus, where: object, optional: frozenset[str]) -> list[AscError]:
    given = _clip_ids(clips, corpus)
    counts = Counter(given)
    known = set(corpus.filenames)
    extra = [] if set(given) <= known else sorted(set(given) - known - _of_no_fold(corpus))
    missing = [name for name in corpus.filenames if name not in counts and name not in optional]
    twice = sorted(name for name, n in counts.items() if n > 1)
    parts = (
        ("has no row of the training clip", missing, "add it"),
        ("has rows of clips that are not in meta.csv:", extra, "remove them, or give the --corpus that they are of"),
        ("has more than one row of", twice, "keep one"),
    )
    return [AscError(where, f"{what} {_some(names)}", remedy) for what, names, remedy in parts if names]


def _clip_ids(clips: Sequence[str], corpus: Corpus) -> list[str]:
    """Names as the corpus has them: ``audio/x.wav`` may be given as ``x.wav`` or ``x``, or below another folder."""
    known = set(corpus.filenames)
    if known.issuperset(clips):
        return list(clips)
    known |= _of_no_fold(corpus)
    stems = {_stem(name): name for name in known}
    if len(stems) < len(known):  # names that folders alone tell apart
        return list(clips)
    return [clip if clip in known else stems.get(_stem(clip), clip) for clip in clips]


def _of_no_fold(corpus: Corpus) -> set[str]:
    """The clips that the corpus has besides those of the fold: a model may have answered for these too."""
    ignored: list[Problem] = []
    return {clip.filename for clip in reader_of(corpus.root).read(corpus.root, ignored)} - set(corpus.filenames)


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _by_place(values: np.ndarray, corpus: Corpus, where: object) -> LogitTable:
    """Rows without names: those of ``meta.csv``, or of the training fold."""
    if len(values) == corpus.n_meta:
        return LogitTable(corpus.filenames, values[corpus.meta_rows])
    if len(values) == corpus.n_train:
        return LogitTable(corpus.filenames[: corpus.n_train], values)
    what = f"has {len(values)} rows; {corpus.tables.clips} has {corpus.n_meta}, the training fold {corpus.n_train}"
    doubled = len(values) in (2 * corpus.n_meta, 2 * corpus.n_train)
    remedy = "drop the second half, of rolled clips" if doubled else "give one row for each row of meta.csv"
    raise AscError(where, what, remedy)


def _read_table(path: Path, suffix: str) -> pd.DataFrame:
    try:
        if suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            heading = file.readline()
        return pd.read_csv(path, sep="\t" if "\t" in heading else ",", encoding="utf-8-sig")
    except (OSError, ValueError, ImportError) as error:
        raise AscError(path, f"is no readable table ({_first_line(error)})", "write it as CSV with a heading") from None


def _of_arrays(path: Path) -> NamedLogits:
    arrays = _load(path)
    values = _pick(arrays, _VALUES) if len(arrays) > 1 else next(iter(arrays.values()), None)
    if values is None:
        raise AscError(path, f"has no array 'logits' among {_some(sorted(arrays))}", "name it so")
    clips, scenes = (_texts(_pick(arrays, names)) for names in (_CLIPS, _SCENES))
    seconds = _pick(arrays, _SECONDS)
    found = NamedLogits(_matrix(values, path), clips, scenes, _number(seconds))
    for what, names, axis in (("clip names", clips, 0), ("scenes", scenes, 1)):
        if names is not None and len(names) != found.values.shape[axis]:
            numbers = f"{found.values.shape[axis]} {'rows' if axis == 0 else 'columns'} of logits"
            raise AscError(path, f"has {len(names)} {what} for {numbers}", "give one for each")
    return found


def _load(path: Path) -> Any:
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        remedy = "save numbers and texts, no objects"
        raise AscError(path, f"is no readable NumPy file ({_first_line(error)})", remedy) from None


def _pick(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _texts(names: np.ndarray | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(map(str, names.ravel().tolist()))


def _number(array: np.ndarray | None) -> float | None:
    is_one = array is not None and array.size == 1 and array.dtype.kind in "fiu"
    return float(array.item()) if array is not None and is_one else None


def _is_float(content: object) -> bool:
    return isinstance(content, torch.Tensor) and content.is_floating_point()


def _matrix(values: Any, where: object) -> np.ndarray:
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        raise AscError(where, "is no table of logits", f"give numbers of shape {_SHAPE}")
    return values.astype(np.float32)


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
