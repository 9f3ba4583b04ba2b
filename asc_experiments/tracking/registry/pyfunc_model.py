"""What ``mlflow.pyfunc`` loads a stored network through. A stored model names this module; nothing is unpickled.

MLflow's server answers a request that a model refuses with status 400 and the model's own words only where they come
as MLflow's exception.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.training.serving import ScenePredictor


def _forget_code_that_is_not_used(model: Path) -> None:
    """Take a stored model's own copy of this code from the path again, where this code was there already.

    The copy holds no more than a prediction needs: processes that inherit the path would miss the rest.
    """
    if not Path(__file__).is_relative_to(model):
        sys.path[:] = [entry for entry in sys.path if not Path(entry).is_relative_to(model)]


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
    for model in Path(path).parents:
        if (model / "MLmodel").is_file():
            _forget_code_that_is_not_used(model)
    return PyfuncPredictor(ScenePredictor.load(Path(path)))
