"""What ``mlflow.pyfunc`` loads a stored network through: waveforms in, scene probabilities out.

A stored model names this module as its loader; nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from asc_experiments.training.network import SceneNetwork, load_network


class ScenePredictor:
    """A network behind the interface that pyfunc expects."""

    def __init__(self, network: SceneNetwork) -> None:
        self.network = network

    def predict(self, waveforms: np.ndarray, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Waveforms ``(batch, 32000)`` float32 at 32 kHz to a table of probabilities, one column per scene."""
        return pd.DataFrame(
            scene_probabilities(self.network, np.asarray(waveforms, dtype=np.float32)),
            columns=list(self.network.scenes),
        )


@torch.no_grad()
def scene_probabilities(network: SceneNetwork, waveforms: np.ndarray) -> np.ndarray:
    """Waveforms ``(batch, samples)`` float32 at 32 kHz to probabilities ``(batch, scenes)`` float64."""
    return network(torch.from_numpy(np.array(waveforms))).softmax(dim=-1).double().numpy()


def _load_pyfunc(path: str) -> ScenePredictor:
    """Called by MLflow with the folder of the stored network."""
    return ScenePredictor(load_network(Path(path)))
