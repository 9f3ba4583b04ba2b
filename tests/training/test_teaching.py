"""Losses of students with teachers: the published one is as it was, features are learned, mistakes are one line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.models import ARCHITECTURES
from asc_experiments.training import (
    KL,
    LOSSES,
    Checkpoint,
    ClipSource,
    DistillationBatch,
    DistillationLoss,
    EpochRecord,
    EpochReport,
    Features,
    Recipe,
    SceneNetwork,
    SoftTargets,
    Trainer,
    make_recipe,
    register_loss,
)
from asc_experiments.training.loop import predict_embeddings, predict_logits
from asc_experiments.training.losses import logged_loss, parse_loss
from asc_experiments.training.losses.features import feature_loss
from asc_experiments.training.teaching import TaughtEmbeddings

ROWS = np.arange(40)
DIMS = (6, 11)
Make = Callable[..., Trainer]


@pytest.fixture(scope="module")
def corpus(synth_corpus: Path) -> Corpus:
    return Corpus.open(synth_corpus)


@pytest.fixture(scope="module")
def clips(corpus: Corpus, cache: Path) -> ClipSource:
    waveforms = np.ascontiguousarray(prepare(corpus, cache).waveforms[:, :8_000])  # a quarter of a second
    return ClipSource(waveforms, corpus.labels, corpus.device_of == "a", torch.device("cpu"))


def tiny(arch: str = "cp_mobile", **settings: object) -> Recipe:
    size = {"passt": {"size": "xxs"}, "cp_resnet": {"base_channels": 10}}.get(arch, {"base_channels": 8})
    return make_recipe(arch, "none", **({"epochs": 2, "batch_size": 16} | size | settings))


def targets(corpus: Corpus, loss: DistillationLoss) -> SoftTargets:
    """Two teachers that say by their logits and embeddings which scene a clip is of."""
    scene = np.eye(10, dtype=np.float32)[corpus.labels]
    rng = np.random.default_rng(0)
    said = tuple((scene[ROWS] @ rng.normal(size=(10, dims))).astype(np.float16) for dims in DIMS)
    return SoftTargets(4 * scene, loss, TaughtEmbeddings(ROWS, said))


@pytest.fixture
def make(corpus: Corpus, clips: ClipSource) -> Make:
    def make_(loss: DistillationLoss, recipe: Recipe | None = None) -> Trainer:
        return Trainer(recipe or tiny(), clips, corpus.scenes, soft_targets=targets(corpus, loss))

    return make_


def weights(network: SceneNetwork) -> Tensor:
    return torch.cat([value.flatten().double() for value in network.model.state_dict().values()])


@pytest.mark.parametrize("mixup", [0.0, 0.3])
@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_features_that_weigh_nothing_leave_the_student_of_the_published_loss_bit_for_bit(
    arch: str, mixup: float, make: Make
) -> None:
    recipe = tiny(arch, mixup_alpha=mixup)
    published = weights(make(KL(), recipe).fit(ROWS))
    assert torch.equal(weights(make(Features(feature_weight=0), recipe).fit(ROWS)), published)
    assert not torch.equal(weights(make(Features(feature_weight=1), recipe).fit(ROWS)), published)


def test_feature_loss_falls_where_it_counts_and_the_student_has_no_projection(
    make: Make, corpus: Corpus, clips: ClipSource
) -> None:
    plain = {"roll": 0, "frequency_mask": 0, "fmax_jitter": 0, "batch_size": 8, "learning_rate": 5e-3}

    def remaining(weight: float, epochs: int = 16) -> float:
        trainer = make(Features(feature_weight=weight), tiny(epochs=epochs, **plain))
        network = trainer.fit(ROWS)
        assert network.model.state_dict().keys() == SceneNetwork(tiny(), corpus.scenes).model.state_dict().keys()
        with torch.no_grad():
            embeddings = torch.from_numpy(predict_embeddings(network, clips, ROWS))
            batch = trainer.teaching.batch(torch.zeros(40, 10), embeddings, clips.labels(ROWS), ROWS)
            return float(feature_loss(batch, trainer.heads).mean())

    assert remaining(1.0) < 0.5 * remaining(0.0, epochs=2), "at most 0.11 and at least 0.97 were seen of five seeds"


@pytest.mark.parametrize("arch", ["cp_mobile", "passt"])
def test_killed_with_projections_it_resumes_bit_for_bit(arch: str, make: Make, tmp_path: Path) -> None:
    recipe = tiny(arch, epochs=3)

    def begin() -> Trainer:
        return make(Features(feature_weight=1), recipe)

    whole = begin()
    whole.fit(ROWS)
    checkpoint = Checkpoint(tmp_path / "x.ckpt", {"of": "a test"}, "student")
    for until in (1, 2, 3):
        trainer, history = checkpoint.resume(begin)
        assert trainer.epochs_done == until - 1

        def stop(report: EpochReport, trainer: Trainer = trainer, history: list[EpochRecord] = history) -> None:
            history.append(EpochRecord({"loss": report.loss}, {}))
            checkpoint.save(trainer, history)
            raise StopIteration

        with pytest.raises(StopIteration):
            trainer.fit(ROWS, stop)
    assert torch.equal(weights(trainer.network), weights(whole.network))
    for name, tensor in whole.heads.state_dict().items():
        assert torch.equal(trainer.heads.state_dict()[name], tensor)


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_mobile_2024", "cp_resnet", "passt"])
def test_head_makes_a_networks_logits_of_its_embeddings(arch: str, corpus: Corpus, clips: ClipSource) -> None:
    network = SceneNetwork(tiny(arch), corpus.scenes).eval()
    found = predict_embeddings(network, clips, ROWS)
    assert found.shape[0] == len(ROWS)
    head = network.model.get_submodule(ARCHITECTURES[arch].head)
    pooled = torch.from_numpy(found)
    with torch.no_grad():
        logits = head(pooled if arch == "passt" else pooled[..., None, None])
    np.testing.assert_allclose(
        logits.numpy(), predict_logits(network, clips, ROWS), atol=0.02 if arch == "passt" else 1e-4
    )


def test_architecture_without_a_head_is_refused_in_a_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ARCHITECTURES["cp_resnet"]), "head", "")
    with pytest.raises(
        AscError, match=r"student cp_resnet-10-none-s0: architecture 'cp_resnet' has no embedding: .*kl"
    ):
        make(Features(), tiny("cp_resnet"))
    monkeypatch.setattr(type(ARCHITECTURES["cp_resnet"]), "head", "feet")
    with pytest.raises(AscError, match="head 'feet': is no module of CPResNet; correct the head"):
        make(Features(), tiny("cp_resnet"))


def test_published_loss_adds_to_keys_what_it_did_before_there_were_others() -> None:
    assert KL().identity() == KL().flat() == {"temperature": 2.0, "label_weight": 0.02}
    assert Features(feature_weight=0.5).identity() == {
        "loss": "features", "temperature": 2.0, "label_weight": 0.02, "feature_weight": 0.5,
    }  # fmt: skip


def test_loss_is_read_back_from_the_parameters_of_a_run() -> None:
    loss = Features(temperature=3.0, label_weight=1e-05, feature_weight=2.0)
    params = {name: str(value) for name, value in loss.flat().items()} | {"base_channels": "8", "augment": "none"}
    assert logged_loss(params, "run 1") == loss
    assert logged_loss({"temperature": "3.0"}, "run 1") == KL(temperature=3.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loss": "featurs"}, "study: unknown loss 'featurs'; did you mean 'features'"),
        ({"temprature": 2.0}, "study: unknown key 'temprature'; did you mean 'temperature'?"),
        ({"los": "kl"}, "study: unknown key 'los'; did you mean 'loss'?"),
        ({"feature_weight": 0.5}, "study: loss 'kl' has no 'feature_weight'; remove it, or set loss to features"),
        ({"loss": "features", "feature_weight": -1.0}, "study: 'feature_weight' is -1.0; give at least 0"),
        ({"loss": "features", "feature_weight": "much"}, "study: 'feature_weight' is 'much'; give a number"),
    ],
)
def test_mistake_is_one_line(values: dict[str, object], said: str) -> None:
    with pytest.raises(AscError) as error:
        parse_loss(values, "study")
    assert error.value.line().startswith(said)
    assert "\n" not in error.value.line()


@pytest.fixture
def registered() -> Iterator[None]:
    before = dict(LOSSES)
    yield
    LOSSES.clear()
    LOSSES.update(before)


class Apart(DistillationLoss):
    name = "apart"
    apart_weight: float = Field(0.5, ge=0, le=1)

    def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
        apart = (batch.logits - batch.teacher_logits).square().mean(dim=1)
        return self.apart_weight * apart + F.cross_entropy(batch.logits, batch.labels, reduction="none")


@pytest.mark.usefixtures("registered")
def test_loss_of_ones_own_trains_and_its_mistakes_are_told(make: Make) -> None:
    register_loss(Apart)
    assert parse_loss({"loss": "apart", "apart_weight": 0.25}, "study") == Apart(apart_weight=0.25)
    network = make(parse_loss({"loss": "apart"}, "study"), tiny(mixup_alpha=0.3)).fit(ROWS)
    assert not torch.equal(weights(network), weights(make(KL(), tiny(mixup_alpha=0.3)).fit(ROWS)))
    with pytest.raises(AscError, match="loss 'apart': is there already"):
        register_loss(Apart)

    class Seeded(Apart):
        name = "seeded"
        seed: int = 0

    with pytest.raises(AscError, match="its setting 'seed' has the name of a setting of Recipes; rename it"):
        register_loss(Seeded)

    class Open(Apart):
        name = "open"
        openness: float

    with pytest.raises(AscError, match="its setting 'openness' has no default"):
        register_loss(Open)

    class Mean(Apart):
        name = "mean"

        def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
            return super().per_clip(batch, heads).mean()

    with pytest.raises(AscError, match=r"loss 'mean': charged \(\) for a batch of 16 clips; have per_clip give one"):
        make(Mean()).fit(ROWS)
