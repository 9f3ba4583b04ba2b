"""A PaSST can start from published weights: fetched once, checked, all of them used but the heads.

The published network is large: here a small one stands in for it, served from this machine.
"""

import hashlib
import io
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asc_experiments.base.download import RemoteFile
from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank
from asc_experiments.models import build_model
from asc_experiments.models.architectures.passt import SIZES
from asc_experiments.training import ClipSource, Recipe, SceneNetwork, Trainer, load_network, make_recipe, save_network
from asc_experiments.training import pretrained as module
from asc_experiments.training.pretrained import AUDIOSET, audioset_weights, start_from

SMALL = (24, 1, 2)
SCENES = tuple(f"scene {number}" for number in range(10))
NAME = "passt-small.pt"


@pytest.fixture(autouse=True)
def small_passt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "s", SMALL)


@pytest.fixture
def published() -> dict[str, Tensor]:
    """Weights as they are published: with heads for 527 sounds."""
    torch.manual_seed(99)
    width, depth, heads = SMALL
    return build_model("passt", n_classes=527, embed_dim=width, depth=depth, num_heads=heads).state_dict()


def serve(server: Any, content: object, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    torch.save(content, file)
    server.files[NAME] = file.getvalue()
    checksum = f"sha256:{hashlib.sha256(file.getvalue()).hexdigest()}"
    monkeypatch.setattr(module, "AUDIOSET", RemoteFile(f"{server.url}/release/{NAME}", checksum))


@pytest.fixture
def served(file_server: Any, published: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> Any:
    serve(file_server, published, monkeypatch)
    return file_server


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    """A cache without weights."""
    return tmp_path / "cache"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/release/{NAME}"
    monkeypatch.setattr(module, "AUDIOSET", RemoteFile(url, "sha256:00"))
    return url


def tiny(**settings: object) -> Recipe:
    return make_recipe("passt", **({"size": "s", "epochs": 1, "batch_size": 16, "patchout_frequency": 0} | settings))


def source() -> ClipSource:
    """Twenty clips of noise of a quarter of a second."""
    waveforms = np.random.default_rng(0).integers(-999, 999, (20, 8_000), dtype=np.int16)
    return ClipSource(waveforms, np.arange(20) % 10, np.ones(20, dtype=bool), torch.device("cpu"))


def test_published_weights_are_those_of_the_release() -> None:
    assert AUDIOSET.url.startswith("https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/")
    assert len(AUDIOSET.checksum) == len("sha256:") + 64


def test_weights_are_fetched_once(served: Any, published: dict[str, Tensor], own_cache: Path) -> None:
    for _ in range(2):
        weights = audioset_weights(own_cache)
        assert weights.keys() == published.keys()
        assert all(torch.equal(weights[name], published[name]) for name in published)
    assert len(served.asked) == 1
    assert (own_cache / "weights" / NAME).is_file()


def test_weights_put_there_by_hand_are_used(served: Any, own_cache: Path) -> None:
    (own_cache / "weights").mkdir(parents=True)
    (own_cache / "weights" / NAME).write_bytes(served.files.pop(NAME))
    assert audioset_weights(own_cache)
    assert served.asked == []


def test_no_connection_names_address_and_place(offline: str, own_cache: Path) -> None:
    with pytest.raises(AscError) as caught:
        audioset_weights(own_cache)
    assert caught.value.line().startswith(f"{offline}: cannot be reached")
    assert f"put the file at {own_cache / 'weights' / NAME} by hand" in caught.value.line()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, Path("of a class")], ids=["list", "number", "object"])
def test_file_without_weights_is_one_line(
    content: object, file_server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(file_server, content, monkeypatch)
    with pytest.raises(AscError, match="holds no weights"):
        audioset_weights(own_cache)


def test_training_starts_from_the_weights_and_from_own_heads(published: dict[str, Tensor]) -> None:
    started = Trainer(tiny(pretrained="audioset"), source(), SCENES, weights=published).network.model.state_dict()
    random = Trainer(tiny(), source(), SCENES).network.model.state_dict()
    for name, tensor in started.items():
        expected = random[name] if name.startswith(("head.1.", "head_dist.")) else published[name]
        assert torch.equal(tensor, expected), name


def test_other_recipes_ignore_the_weights(published: dict[str, Tensor]) -> None:
    given = Trainer(tiny(), source(), SCENES, weights=published).network.model.state_dict()
    without = Trainer(tiny(), source(), SCENES).network.model.state_dict()
    assert all(torch.equal(given[name], without[name]) for name in given)


def test_pretrained_recipe_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="pretrained audioset needs weights"):
        Trainer(tiny(pretrained="audioset"), source(), SCENES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("blocks.0.attn.qkv.bias"), r"blocks\.0\.attn\.qkv\.bias is missing"),
        (lambda weights: weights.update(extra=torch.zeros(3)), "extra is no part of the network"),
        (lambda weights: weights.update(cls_token=torch.zeros(1, 1, 8)), r"cls_token has the shape \(1, 1, 8\), not"),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_weights_that_do_not_fit_are_one_line(published: dict[str, Tensor], change: Callable, message: str) -> None:
    change(published)
    model = SceneNetwork(tiny(), SCENES).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(AscError, match=message):
        start_from(model, published)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_passt_s_has_the_shapes_of_the_published_file() -> None:
    """Patches of 16 at stride 10 from 128 mels and 998 frames: 12 rows and 99 columns."""
    with torch.device("meta"):  # nothing is allocated or drawn
        state = build_model("passt", n_classes=527, embed_dim=768, depth=12, num_heads=12).state_dict()
    shapes = {
        "patch_embed.proj.weight": (768, 1, 16, 16), "new_pos_embed": (1, 2, 768), "dist_token": (1, 1, 768),
        "freq_new_pos_embed": (1, 768, 12, 1), "time_new_pos_embed": (1, 768, 1, 99),
        "blocks.11.attn.qkv.weight": (2304, 768), "head.1.weight": (527, 768), "head_dist.bias": (527,),
    }  # fmt: skip
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_stored_network_stands_by_itself(published: dict[str, Tensor], tmp_path: Path) -> None:
    network = Trainer(tiny(pretrained="audioset"), source(), SCENES, weights=published).network
    save_network(network, tmp_path)
    again = load_network(tmp_path)
    assert again.recipe.pretrained == "audioset"
    own = network.model.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in again.model.state_dict().items())


def test_pretrained_teacher_is_another_teacher(served: Any, open_bench: Callable) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    pretrained = bank.get(tiny(pretrained="audioset"), bench)
    assert pretrained.key != bank.key(tiny(), bench)
    assert pretrained.name == "passt-24x1-audioset-none-s0"
    assert pretrained.record.params["pretrained"] == "audioset"
    served.files.clear()
    (bench.cache / "weights" / NAME).unlink()
    assert bank.get(tiny(pretrained="audioset"), open_bench()).key == pretrained.key, "needs no weights any more"


def test_command_without_connection_is_one_line_and_leaves_no_run(
    asc: Callable, synth_corpus: Path, workspace: Path, tracking: Any, offline: str, cache: Path
) -> None:
    result = asc(
        "teacher", "train", "--arch", "passt", "--pretrained", "--set", "size=s", "--epochs", 1, "--corpus",
        synth_corpus, "--workspace", workspace,
    )  # fmt: skip
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    assert offline in errors[0]
    assert str(cache / "weights" / NAME) in errors[0]
    assert tracking.search([tracking.experiment("teachers")]) == []


def test_flag_is_for_passt_only(asc: Callable, synth_corpus: Path, workspace: Path) -> None:
    arguments = ["teacher", "train", "--arch", "cp_resnet", "--pretrained", "--corpus", synth_corpus]
    result = asc(*arguments, "--workspace", workspace)
    assert result.code == 2
    assert len([line for line in result.err.splitlines() if line.startswith("error: ")]) == 1
    assert "a cp_resnet recipe has no 'pretrained'" in result.err
