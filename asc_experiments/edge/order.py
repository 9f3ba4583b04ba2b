"""What is wanted of an export, and what of that is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.progress import say
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.audio import in_seconds
from asc_experiments.distill import TrainingContext
from asc_experiments.edge.origin import Origin
from asc_experiments.models import ARCHITECTURES
from asc_experiments.training import SceneNetwork

FORMATS = ("onnx",)
FLOAT, INT8, FINE_TUNED = "onnx_float", "onnx_int8", "onnx_int8_finetuned"
"""What is exported, as it is called in the tracking server."""


@dataclass(frozen=True)
class Order:
    """What is wanted.

    Attributes:
        output: the file to write; one that exists is replaced.
        corpus: the folder of the corpus that the file is tested on, and int8 is made with.
        format: ``onnx``.
        frontend: whether the file takes waveforms rather than log-mels.
        int8: whether it is quantised.
        finetune: epochs of training for int8; 0 is none.
        device: of a model with networks for recording devices, whose; the general one where it is empty.
    """

    output: Path
    corpus: Path | None = None
    format: str = "onnx"
    frontend: bool = False
    int8: bool = False
    finetune: int = 0
    device: str = ""

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            AscError: naming the option.
        """
        if self.format not in FORMATS:
            raise AscError(f"--format {self.format}", "is none that can be written", nearest(self.format, FORMATS))
        if self.int8 and self.corpus is None:
            raise AscError("--int8", "takes the ranges of activations from training clips", "give --corpus DIR")
        if self.finetune and not self.int8:
            raise AscError("--finetune", "trains for int8", "give --int8 too")
        if self.finetune and self.device:
            raise AscError("--finetune", "trains on the clips of all devices", "omit it, or --device")

    def network_of(self, model: SceneNetwork, model_uri: str) -> SceneNetwork:
        """The one network of a model that is exported; of a general one that others were made of, a line says so.

        Raises:
            AscError: if the model has none for the device.
        """
        if not self.device:
            if model.of_devices:
                names = ", ".join(sorted(model.of_devices))
                say(f"exported is the network for any device; --device takes one of those for {names}")
            return model
        if self.device not in model.of_devices:
            what = f"{model_uri} has no network for it"
            remedy = nearest(self.device, model.of_devices) if model.of_devices else "omit it"
            raise AscError(f"--device {self.device}", what, remedy)
        return model.of_devices[self.device]

    def check_network(self, network: SceneNetwork) -> None:
        """Refuse a network that cannot be had like that, before its corpus is decoded.

        Raises:
            AscError: naming the option or the corpus.
        """
        arch = network.recipe.arch
        if self.int8 and not ARCHITECTURES[arch].quantisable:
            quantisable = [name for name, each in ARCHITECTURES.items() if each.quantisable]
            raise AscError("--int8", f"is for {', '.join(quantisable)}, and the model is a {arch}", "leave it out")
        if self.corpus is None:
            return
        scenes = Corpus.open(self.corpus).scenes
        if scenes != network.scenes:
            other = sorted(set(scenes) ^ set(network.scenes))[0]
            whose = f"the model {'has' if other in network.scenes else 'lacks'} '{other}'"
            raise AscError(self.corpus, f"has other scenes than the model: {whose}", "give the corpus it was made for")

    def check_corpus(self, bench: TrainingContext, network: SceneNetwork, origin: Origin) -> None:
        """Refuse a corpus that the model cannot be tested or trained on.

        Raises:
            AscError: naming the corpus or the option.
        """
        if bench.clip_samples != network.samples:
            what = f"has clips of {in_seconds(bench.clip_samples)}, and the model hears {in_seconds(network.samples)}"
            raise AscError(bench.corpus.root, what, "give a corpus of that length: asc corpus import --clip cuts one")
        ours = bench.train_split.digest if bench.train_split else None
        if self.int8 and origin.training_clips != ours:
            what = f"the model was trained on {origin.train_split or 'the whole fold'}"
            raise AscError("--train-split", what, "give the list that it was trained on, or none where there was none")
        if not self.finetune:
            return
        if origin.corpus not in (None, bench.store.corpus_digest):
            raise AscError(
                bench.corpus.root, "is not the corpus that the model was trained on", "give --corpus that one"
            )
        if origin.split is None:
            raise AscError("--finetune", "it is not known which clips the model was trained on", "leave it out")
