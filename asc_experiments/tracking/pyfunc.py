"""What ``mlflow.pyfunc`` loads a stored network through. A stored model names this module; nothing is unpickled.

MLflow's server answers a request that a model refuses with status 400 and the model's own words only where they come
as MLflow's exception.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.training.serving import ScenePredictor


class PyfuncPredictor:
    """A predictor behind the interface that pyfunc expects.

    Args:
        predictor: what answers.
    """

    def __init__(self, predictor: ScenePredictor) -> None:
        self.predictor = predictor

    def predict(self, sounds: pd.DataFrame | np.ndarray, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """See :meth:`ScenePredictor.predict`; there are no params.

        Raises:
            MlflowException: naming the first row that is no sound.
        """
        try:
            return self.predictor.predict(sounds)
        except AscError as error:
            raise MlflowException.invalid_parameter_value(error.line()) from None

    def get_raw_model(self) -> ScenePredictor:
        """The predictor itself, which takes arrays too: MLflow's signature lets none through to named columns."""
        return self.predictor


def _load_pyfunc(path: str) -> PyfuncPredictor:
    """Called by MLflow with the folder of the stored network."""
    return PyfuncPredictor(ScenePredictor.load(Path(path)))
