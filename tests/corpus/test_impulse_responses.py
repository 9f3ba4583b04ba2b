"""Impulse responses from a folder of sound files."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.impulse_responses import load_impulse_responses


def write(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, samples, 32_000, subtype="FLOAT")


def test_published_response_is_read_as_published(shared: Path) -> None:
    golden = np.load(shared / "parity" / "dir.npz")
    folder = shared / "data" / "dirs"
    bank = load_impulse_responses(folder)
    row = sorted(path.name for path in folder.glob("*.wav")).index(str(golden["ir_file"]))
    length = len(golden["ir"])
    np.testing.assert_allclose(bank.responses[row, :length], golden["ir"], atol=1e-4)
    assert not bank.responses[row, length:].any()
    assert len(bank.responses) == 50


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path / "b.wav", np.array([0.5, 0.25]))
    write(tmp_path / "a.wav", np.array([1.0]))
    np.testing.assert_allclose(load_impulse_responses(tmp_path).responses, [[1.0, 0.0], [0.5, 0.25]])


def test_files_of_every_sound_format_are_read_and_notes_beside_them_are_not(tmp_path: Path) -> None:
    write(tmp_path / "A.WAV", np.array([1.0]))
    soundfile.write(tmp_path / "b.flac", np.array([0.5]), 32_000)
    soundfile.write(tmp_path / "c.aiff", np.array([0.25]), 32_000)
    (tmp_path / "LICENSE.txt").write_text("free")
    (tmp_path / "._A.WAV").write_bytes(b"another system's notes")
    np.testing.assert_allclose(load_impulse_responses(tmp_path).responses, [[1.0], [0.5], [0.25]], atol=1e-4)


def test_digest_names_the_content(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.array([1.0]))
    first = load_impulse_responses(tmp_path).digest
    (tmp_path / "a.wav").rename(tmp_path / "z.wav")
    assert load_impulse_responses(tmp_path).digest == first
    write(tmp_path / "z.wav", np.array([0.5]))
    assert load_impulse_responses(tmp_path).digest != first


def test_empty_or_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AscError, match="--dirs"):
            load_impulse_responses(folder)


@pytest.mark.parametrize("samples", [np.zeros(10), np.array([np.nan, 1.0])])
def test_useless_response_is_named(tmp_path: Path, samples: np.ndarray) -> None:
    write(tmp_path / "bad.wav", samples)
    with pytest.raises(AscError, match=r"bad\.wav"):
        load_impulse_responses(tmp_path)
