"""Networks with something to fold, their graphs (once each: exporting takes seconds), a student that was trained."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as remember
from pathlib import Path

import pytest
import torch
from onnx import ModelProto
from torch import Tensor, nn

from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.edge.graph import frontend_graph, network_graph
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.trials import MODEL_ID
from asc_experiments.training import Recipe, SceneNetwork, make_recipe

SCENES = ("bus", "park", "tram")
TEN_SCENES = tuple("abcdefghij")
STUDENT = make_recipe("cp_mobile")
"""The published one; its network here tells ten scenes apart, as the challenge's."""


def tiny(augment: str = "none", **settings: object) -> Recipe:
    return make_recipe("cp_mobile", augment, **({"base_channels": 8, "epochs": 1, "batch_size": 64} | settings))


@remember
def scrambled(recipe: Recipe) -> SceneNetwork:
    """An untrained network whose norms do something, as after training; not to be changed."""
    return scramble(recipe, TEN_SCENES if recipe == STUDENT else SCENES)


def scramble(recipe: Recipe, scenes: tuple[str, ...]) -> SceneNetwork:
    """The same, of any scenes."""
    torch.manual_seed(0)
    network = SceneNetwork(recipe, scenes).eval()
    for name, parameter in network.model.named_parameters():
        if "norm" in name or parameter.ndim == 1:
            nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.2, 0.2)
        elif parameter.ndim == 4:
            nn.init.kaiming_normal_(parameter)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network


@remember
def graph_of(recipe: Recipe) -> ModelProto:
    """Its graph without the frontend; not to be changed."""
    network = scrambled(recipe)
    return network_graph(network.model, network.frontend)


@remember
def frontend_of(recipe: Recipe) -> ModelProto:
    """The graph of its frontend; not to be changed."""
    return frontend_graph(scrambled(recipe).frontend)


def sounds(count: int = 3, loudness: float = 0.1, seed: int = 0) -> Tensor:
    """Noise that decays and comes back, ``(count, 32000)``."""
    generator = torch.Generator().manual_seed(seed)
    envelope = torch.linspace(0, 12, 32_000).sin().abs()
    return (loudness * envelope * torch.randn(count, 32_000, generator=generator)).clamp(-1, 1)


@dataclass(frozen=True)
class Student:
    """A student that learned from a teacher, in a workspace of its own."""

    workspace: Path
    run_id: str
    uri: str
    teacher: str

    @property
    def tracking(self) -> Tracking:
        return Tracking.open(self.workspace)


@pytest.fixture(scope="module")
def student(synth_corpus: Path, new_database: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Student:
    """One for the tests of a module; they may log to its run."""
    workspace = tmp_path_factory.mktemp("edge")
    (workspace / "mlruns").mkdir()
    shutil.copy(new_database, workspace / "mlruns")
    tracking = Tracking.open(workspace)

    def open_bench(split: ValidationSplit) -> TrainingContext:
        return TrainingContext.open(synth_corpus, tracking, cache, split)

    split = ValidationSplit(fraction=0.3)
    teacher = TeacherBank(tracking).get(tiny(), open_bench(split)).key
    recipe, distillation = tiny("dirfms", epochs=3), {"temperature": 3.0, "label_weight": 0.1}
    run_id, _ = train_single_student(open_bench, tracking, recipe, [teacher], distillation)
    return Student(workspace, run_id, f"models:/{tracking.get(run_id).tags[MODEL_ID]}", teacher)


@pytest.fixture
def bench(student: Student, synth_corpus: Path, cache: Path) -> TrainingContext:
    """The corpus as the student's teacher had it."""
    return TrainingContext.open(synth_corpus, student.tracking, cache, ValidationSplit(fraction=0.3))


@pytest.fixture
def opened(student: Student, synth_corpus: Path, cache: Path) -> Callable[[ValidationSplit], TrainingContext]:
    """Opens the corpus with any split."""
    return lambda split: TrainingContext.open(synth_corpus, student.tracking, cache, split)
