"""The inference package that DCASE 2025 task 1 asks for: four functions over networks within its limits.

The rules: arXiv 2505.01747, sections 3 and 5; the organisers' scripts count MACs with torchinfo and bytes of parameters
by their data types, for each device's network by itself.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.audio import SAMPLE_RATE, in_seconds
from asc_experiments.models.complexity import count_by_torchinfo
from asc_experiments.submission.label import Label
from asc_experiments.tracking.registry.network_store import copy_code
from asc_experiments.training import SceneNetwork
from asc_experiments.training.packed import PRECISIONS, PackedModel, Precision, parameter_bytes

_TEMPLATES = Path(__file__).parent / "templates"
_REQUIREMENTS = ("torch", "numpy", "safetensors", "pydantic", "soundfile", "soxr")
_MORE_CODE = ("training/packed.py",)
_RATE = 44_100
"""Of the challenge's recordings, in Hz."""


@dataclass(frozen=True)
class Limits:
    """What each network of a submission may cost, as the organisers count.

    Attributes:
        macs: MACs for one second of sound, by torchinfo.
        bytes: of the parameters, each as long as its data type.
    """

    macs: int = 30_000_000
    bytes: int = 128_000


LIMITS = Limits()
"""Those of 2024 and 2025."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A model at the finest precision that fits, and what each of its networks costs.

    Attributes:
        model: the networks.
        macs, bytes: of each network; all have one shape.
    """

    model: PackedModel
    macs: int
    bytes: int

    @property
    def precision(self) -> str:
        """In words: ``float16``, ``int8, batch norms folded``."""
        return self.model.precision + (", batch norms folded" if self.model.folded else "")


def pack(network: SceneNetwork, precision: Precision | None = None, limits: Limits = LIMITS) -> Packed:
    """A network, with those for devices that were made of it, within the challenge's limits.

    Args:
        network: in evaluation mode.
        precision: of the parameters; the finest that fits by default.
        limits: of each network.

    Raises:
        AscError: if it does not fit, with what it costs; or hears clips of another length than the challenge's.
    """
    check_length(network)
    mels, frames = network.frontend.shape.mels, network.frames
    tried = []
    for each in PRECISIONS if precision is None else (precision,):
        for folded in (False, True):
            model = PackedModel.of(network, each, folded)
            general = model.for_device("")
            found = Packed(model, count_by_torchinfo(general, mels, frames), parameter_bytes(general))
            if found.macs <= limits.macs and found.bytes <= limits.bytes:
                return found
            tried.append(f"{found.bytes:,} bytes and {found.macs:,} MACs at {found.precision}")
    what = f"does not fit into {limits.bytes:,} bytes and {limits.macs:,} MACs: {'; '.join(tried)}"
    remedy = "register a smaller student" if precision in (None, "int8") else "omit --precision"
    raise AscError(network.recipe.name_but_seed, what, remedy)


def check_length(network: SceneNetwork) -> None:
    """Refuse a network of clips of another length than the challenge's.

    Raises:
        AscError: if it is one.
    """
    if network.samples != SAMPLE_RATE:
        what = f"hears clips of {in_seconds(network.samples)}, and the challenge's last 1 s"
        raise AscError(network.recipe.name_but_seed, what, "train one on clips of 1 s: asc corpus import --clip 1s")


def write_package(packed: Packed, label: Label, folder: Path, source: str, corpus: Corpus | None = None) -> None:
    """Write an installable package that the organisers' scripts import, with tests of its own.

    Args:
        packed: the networks.
        label: whose submission it is.
        folder: the new package; it appears whole or not at all.
        source: the model that it is made of, for people.
        corpus: whose test fold the organisers' script evaluates it on; without, that script downloads the list.

    Raises:
        AscError: if the folder is there already.
    """
    if folder.exists():
        raise AscError(folder, "is there already", "give the name of a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".asc-", dir=folder.parent) as parent:
        made = Path(parent, folder.name)
        _write(packed, label, made, source, corpus)
        made.replace(folder)


def _write(packed: Packed, label: Label, folder: Path, source: str, corpus: Corpus | None) -> None:
    inner = folder / label.name
    for name in ("resources", "ckpts"):
        (inner / name).mkdir(parents=True)
        (inner / name / "__init__.py").touch()
    (inner / "__init__.py").write_text(f'"""The submission {label} to DCASE 2025 task 1."""\n')
    with TemporaryDirectory(prefix="asc-") as code:
        shutil.copytree(copy_code(Path(code), _MORE_CODE).parent, inner / "code")
    packed.model.save(inner / "ckpts" / f"{label}.pt")
    _write_dummy(inner / "resources" / "dummy.wav")
    if corpus is not None:
        rows = [f"{clip.filename}\t{clip.scene}" for clip in corpus.clips[corpus.n_train :]]
        (inner / "resources" / "test.csv").write_text("\n".join(["filename\tscene_label", *rows]) + "\n")
    words = {
        "label": str(label), "name": label.name, "source": source, "scenes": ", ".join(packed.model.scenes),
        "devices": ", ".join(packed.model.devices) or "none: one network serves all",
        "requirements": ", ".join(f'"{name}>={_released(name)}"' for name in _REQUIREMENTS),
        "precision": packed.precision, "macs": f"{packed.macs:,}", "bytes": f"{packed.bytes:,}",
        "most_macs": str(LIMITS.macs), "most_bytes": str(LIMITS.bytes), "architecture": packed.model.recipe.arch,
        "n_scenes": str(len(packed.model.scenes)),
    }  # fmt: skip
    for template, target in (
        ("inference.py.txt", inner / f"{label}.py"),
        ("pyproject.toml.txt", folder / "pyproject.toml"),
        ("README.md.txt", folder / "README.md"),
        ("test_package.py.txt", folder / "tests" / "test_package.py"),
    ):
        target.parent.mkdir(exist_ok=True)
        target.write_text(Template((_TEMPLATES / template).read_text()).substitute(words))


def _released(package: str) -> str:
    return version(package).partition("+")[0]


def _write_dummy(path: Path) -> None:
    """One second of faint noise as the challenge's recordings are: complexity does not depend on what is heard."""
    noise = np.random.default_rng(0).normal(0, 0.01, _RATE)
    soundfile.write(path, noise, _RATE, subtype="PCM_24")
