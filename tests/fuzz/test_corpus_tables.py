"""Whatever a corpus's tables hold, they are a corpus or a list of problems; no clip lies outside of the folder.

`make test` tries a few hundred inputs, `make fuzz` thousands (ASC_FUZZ: how many of each kind).
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold
from asc_experiments.corpus.audio import read_clip
from asc_experiments.corpus.check import corpus_facts
from asc_experiments.corpus.index import read_index
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD
from asc_experiments.corpus.segments import find_segments

EXAMPLES = int(os.environ.get("ASC_FUZZ", "100"))
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
CELLS = [
    "../../etc/passwd", "/etc/passwd", "audio/../../x.wav", "audio//a.wav", "audio/", ".", "..", "", " ", "-", "audio",
    "C:\\x.wav", "a\x1b[31m.wav", "a\nb.wav", "<script>alert(1)</script>", "\u202e", "\ufeff", "\0", "\x85", "'",
    '"', '"a',
    "x" * 5_000, "audio/" + "y" * 300 + ".wav", "=1+1", "airport", "a", "s1", "scene\nnext", "audio/link.wav",
    "audio/airport-lyon-1-2-a.wav", "audio/airport-lyon-1-99999999999999-a.wav", "é", "日本", "\U0001f600",
]  # fmt: skip
GOOD = [f"audio/park-lyon-{place}-{take}-{device}.wav" for place in (1, 2) for take in (1, 2) for device in ("a", "s1")]

cells = st.sampled_from(CELLS) | st.text(max_size=12)
edits = st.lists(st.tuples(st.sampled_from([META, TRAIN_FOLD, TEST_FOLD]), st.integers(0, 9), st.integers(0, 4), cells))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables, with a link that leaves it and a file outside that nobody may read."""
    folder = tmp_path_factory.mktemp("fuzzed") / "corpus"
    for name in ("audio", "evaluation_setup"):
        (folder / name).mkdir(parents=True)
    (folder.parent / "x.wav").write_bytes(b"secret")
    (folder / "audio" / "link.wav").symlink_to(folder.parent / "x.wav")
    return folder


def tables() -> dict[str, list[list[str]]]:
    """A small corpus: the first half is trained on."""
    meta = [["filename", "scene_label", "identifier", "source_label"]]
    meta += [[name, "park", "lyon-" + name[16], name.rpartition("-")[2][:-4]] for name in GOOD]
    head = [["filename", "scene_label"]]
    return {
        META: meta,
        TRAIN_FOLD: head + [[name, "park"] for name in GOOD[:4]],
        TEST_FOLD: head + [[name, "park"] for name in GOOD[4:]],
    }


def use(root: Path) -> Corpus | None:
    """Do everything that commands do with tables; None where there are problems."""
    _, problems = read_index(root)
    for problem in problems:
        assert problem.line().isprintable(), repr(problem.line())
    try:
        corpus = Corpus.open(root)
    except AscError as error:
        assert problems
        assert error.line().isprintable()
        return None
    for name in corpus.filenames:
        samples, problem, *_ = read_clip(root, name)
        assert samples is None
        assert problem is not None
        assert problem.line().isprintable()
        assert "secret" not in problem.line()
    corpus_facts(corpus)
    find_segments(corpus, corpus.train_rows)
    try:
        split_training_fold(corpus, ValidationSplit(fraction=0.3))
    except AscError as error:
        assert error.line().isprintable()
    return corpus


def write(root: Path, content: dict[str, list[list[str]]]) -> None:
    for name, rows in content.items():
        text = "\n".join("\t".join(row) for row in rows)
        (root / name).write_bytes(text.encode("utf-8", "surrogatepass"))


@fuzzed
@given(edits)
def test_tables_with_changed_cells_are_a_corpus_or_problems(root: Path, edits: list[tuple[str, int, int, str]]) -> None:
    content = tables()
    for name, line, column, cell in edits:
        row = content[name][line % len(content[name])]
        row[column : column + 1] = [cell]
    write(root, content)
    use(root)


@fuzzed
@given(st.sampled_from([META, TRAIN_FOLD, TEST_FOLD]), st.data())
def test_same_cell_everywhere_is_a_corpus_or_problems(root: Path, name: str, data: st.DataObject) -> None:
    """Names that agree in all tables, so that they come as far as the clips."""
    content, old = tables(), data.draw(st.sampled_from([*GOOD, "park", "a", "s1", "lyon-1"]))
    new = data.draw(cells)
    for rows in content.values():
        rows[1:] = [[new if cell == old else cell for cell in row] for row in rows[1:]]
    write(root, content)
    use(root)


@fuzzed
@given(st.sampled_from([META, TRAIN_FOLD, TEST_FOLD]), st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_corpus_or_problems(root: Path, name: str, content: bytes) -> None:
    write(root, tables())
    (root / name).write_bytes(content)
    use(root)


def test_unchanged_tables_are_a_corpus(root: Path) -> None:
    """Else the tests above could pass on problems alone."""
    write(root, tables())
    assert use(root) is not None
