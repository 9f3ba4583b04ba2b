"""Logits of other people's models: matched by name whatever the format and order; what does not fit is told at once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, ValidationSplit
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.bank import check_learnable
from asc_experiments.distill.external_teacher import import_logits
from asc_experiments.distill.logit_files import NamedLogits, as_logits, match, read_logit_file, with_clips
from asc_experiments.tracking import Tracking

Open = Callable[..., TrainingContext]
Save = Callable[[pd.DataFrame, Path], None]


@pytest.fixture(scope="module")
def corpus(synth_corpus: Path) -> Corpus:
    return Corpus.open(synth_corpus)


@pytest.fixture(scope="module")
def table(corpus: Corpus) -> pd.DataFrame:
    """Logits by clip and scene, rows and columns in an order of their own."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(corpus.clips), len(corpus.scenes))).astype(np.float32)
    frame = pd.DataFrame(values, index=list(corpus.filenames), columns=list(corpus.scenes))
    return frame.loc[rng.permutation(frame.index), rng.permutation(frame.columns)]


def expected(table: pd.DataFrame, corpus: Corpus) -> np.ndarray:
    return np.asarray(table.loc[list(corpus.filenames), list(corpus.scenes)].to_numpy())


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename_axis("filename").reset_index()


def save_arrays(table: pd.DataFrame, path: Path) -> None:
    np.savez(path, logits=table.to_numpy(), filenames=list(table.index), scenes=list(table.columns))


def save_beside_labels(table: pd.DataFrame, path: Path) -> None:
    """As ``asc predict`` and DCASE's own tables have it: what was chosen stands beside the scenes."""
    frame = with_names(table).rename(columns={name: f"probability/{name}" for name in table.columns})
    frame.assign(scene_label="park", device_id="a").to_csv(path, sep="\t", index=False)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("logits.csv", lambda table, path: with_names(table).to_csv(path, index=False)),
        ("logits.tsv", lambda table, path: with_names(table).to_csv(path, index=False, sep="\t")),
        ("beside.csv", save_beside_labels),
        ("logits.parquet", lambda table, path: with_names(table).to_parquet(path)),
        ("index.parquet", lambda table, path: table.to_parquet(path)),
        ("logits.npz", save_arrays),
    ],
)
def test_names_tell_whose_each_number_is(
    table: pd.DataFrame, corpus: Corpus, tmp_path: Path, name: str, save: Save
) -> None:
    save(table, tmp_path / name)
    found = match(read_logit_file(tmp_path / name), corpus, name)
    assert found.filenames == corpus.filenames
    np.testing.assert_allclose(found.values, expected(table, corpus), atol=1e-6)


@pytest.mark.parametrize("written", ["x/{name}.wav", "{name}", "{name}.flac", "audio\\{name}.wav"])
def test_clips_are_known_without_their_folder_and_ending(table: pd.DataFrame, corpus: Corpus, written: str) -> None:
    renamed = table.rename(index=lambda clip: written.format(name=Path(clip).stem))
    named = NamedLogits(renamed.to_numpy(), tuple(renamed.index), tuple(renamed.columns))
    np.testing.assert_array_equal(match(named, corpus, "table").values, expected(table, corpus))


def test_numbers_alone_are_rows_of_meta_csv_or_of_a_list(table: pd.DataFrame, corpus: Corpus, tmp_path: Path) -> None:
    np.save(tmp_path / "logits.npy", table[list(corpus.scenes)].to_numpy())
    in_order = match(read_logit_file(tmp_path / "logits.npy"), corpus, "logits.npy").values
    assert not np.allclose(in_order, expected(table, corpus)), "no names: taken in the order of meta.csv"
    (tmp_path / "names.txt").write_text("\n".join(table.index) + "\n")
    (tmp_path / "names.csv").write_text("number,filename\n" + "".join(f"0,{name}\n" for name in table.index))
    for names in ("names.txt", "names.csv"):
        named = with_clips(read_logit_file(tmp_path / "logits.npy"), tmp_path / names, "logits.npy")
        np.testing.assert_array_equal(match(named, corpus, "logits.npy").values, expected(table, corpus))
    with pytest.raises(AscError, match="names its clips itself"):
        with_clips(named, tmp_path / "names.txt", "logits.csv")


def test_everything_that_does_not_fit_is_named_at_once(table: pd.DataFrame, corpus: Corpus) -> None:
    clips, scenes = list(table.index), list(table.columns)
    lost, twice = sorted(clips[:5]), clips[6]
    kept = [clip for clip in clips if clip not in lost]
    wrong = table.loc[kept].rename(columns={scenes[0]: "beach"})
    wrong = pd.concat([wrong, wrong.loc[[twice]], wrong.iloc[[0]].rename(index={kept[0]: "audio/other.wav"})])
    named = NamedLogits(wrong.to_numpy(), tuple(wrong.index), tuple(wrong.columns))
    with pytest.raises(AscError) as caught:
        match(named, corpus, "mine.csv")
    lines = [each.line() for each in caught.value.each()]
    assert len(lines) == 5
    assert all(line.startswith("mine.csv: ") for line in lines)
    told = "\n".join(lines)
    assert f"lacks a column of {scenes[0]}" in told
    assert "no scenes of the corpus: beach" in told
    assert f"has more than one row of {twice}" in told
    assert "not in meta.csv: audio/other.wav" in told
    missing = [name for name in corpus.filenames if name in lost]
    assert f"has no row of the training clip {', '.join(missing[:3])} and 2 more" in told
    fewer = NamedLogits(table.loc[kept].to_numpy(), tuple(kept), tuple(scenes))
    assert len(match(fewer, corpus, "mine.csv", frozenset(lost)).filenames) == len(kept)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "has no column of clip names among a, b"),
        (lambda path: path.write_text("filename,bus\nx.wav,loud\n"), "holds no numbers in bus"),
        (lambda path: path.write_text(""), "is no readable table"),
        (lambda path: path.write_bytes(b"\x00\x01"), "no column of clip names"),
    ],
)
def test_tables_that_hold_no_logits_are_one_line(
    corpus: Corpus, tmp_path: Path, write: Callable[[Path], object], said: str
) -> None:
    write(tmp_path / "wrong.csv")
    with pytest.raises(AscError) as caught:
        match(read_logit_file(tmp_path / "wrong.csv"), corpus, "wrong.csv")
    assert said in caught.value.line()
    assert len(caught.value.line().splitlines()) == 1


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros((2, 3)), "b": np.zeros(3)}, "has no array 'logits' among a, b"),
        ({"logits": np.zeros((2, 3)), "filenames": np.array(["x"])}, "has 1 clip names for 2 rows of logits"),
        ({"logits": np.zeros((2, 3)), "scenes": np.array(["x"])}, "has 1 scenes for 3 columns of logits"),
        ({"logits": np.zeros(3)}, "is no table of logits"),
        ({"logits": np.array([{}, {}])}, "is no readable NumPy file"),
    ],
)
def test_arrays_that_do_not_go_together_are_one_line(tmp_path: Path, arrays: dict, said: str) -> None:
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(AscError) as caught:
        read_logit_file(tmp_path / "wrong.npz")
    assert said in caught.value.line()


def test_probabilities_are_taken_for_none_unless_said_and_teach_the_same() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
    with pytest.raises(AscError, match=r"looks like probabilities.*--probabilities"):
        as_logits(NamedLogits(probabilities), False, "p.csv")
    with pytest.raises(AscError, match="rows do not sum to 1"):
        as_logits(NamedLogits(logits), True, "l.csv")
    taken = torch.from_numpy(as_logits(NamedLogits(probabilities), True, "p.csv").values)
    for temperature in (1.0, 2.0):
        said = (taken / temperature).softmax(dim=1)
        np.testing.assert_allclose(said, torch.from_numpy(logits / temperature).softmax(dim=1), atol=1e-5)
    certain = as_logits(NamedLogits(np.eye(4, dtype=np.float32)), True, "p.csv").values
    assert np.isfinite(certain).all()


def test_a_table_in_memory_becomes_the_same_teacher_as_its_file(
    open_bench: Open, table: pd.DataFrame, tmp_path: Path
) -> None:
    bench = open_bench()
    made = import_logits(bench, table, name="BEATs")
    with_names(table).to_parquet(tmp_path / "beats.parquet")
    assert import_logits(bench, tmp_path / "beats.parquet").key == made.key
    assert (made.name, made.source) == ("BEATs", "BEATs")
    assert TeacherBank(bench.tracking).named(made.key).recipe is None


def test_what_a_model_was_trained_on_is_declared_and_kept_to(
    open_bench: Open, asc: Callable, synth_corpus: Path, workspace: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    with_names(table).to_csv(tmp_path / "beats.csv", index=False)
    import_ = (
        "teacher",
        "import",
        tmp_path / "beats.csv",
        "--corpus",
        synth_corpus,
        "--workspace",
        workspace,
        "--json",
    )
    declared = ("--validation", 0.2, "--hold-out-devices", "s3,c", "--train-split", "split25.csv")
    plain, told = (json.loads(asc(*import_, *more).out) for more in ((), declared))
    assert plain["key"] != told["key"]
    bank = TeacherBank(Tracking.open(workspace))
    teacher = bank.named(told["key"])
    assert teacher.split == ValidationSplit(fraction=0.2, hold_out_devices=("c", "s3"))
    assert teacher.train_split == "split25"
    split = ValidationSplit(fraction=0.2, hold_out_devices=("s3", "c"))
    bench = open_bench(split, train_splits=["split25.csv", "split5.csv"])
    check_learnable(teacher, bench.on("split25"))
    with pytest.raises(AscError, match="was trained on split25, not on split5"):
        check_learnable(teacher, bench.on("split5"))
    check_learnable(bank.named(plain["key"]), bench.on("split5"))  # nobody said what it was trained on

    refused = asc(*import_, "--hold-out-devices", "s9")
    assert (refused.code, "s9" in refused.err) == (2, True)
    refused = asc("teacher", "import", tmp_path / "beats.csv", "--arch", "passt", "--corpus", synth_corpus)
    assert (refused.code, "--arch" in refused.err) == (2, True)
