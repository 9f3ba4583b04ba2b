"""What networks are measured by: names of metrics, those there are, and those of installed packages."""

from asc_experiments.metrics import accuracy, device_generalization, ece, entropy, loss
from asc_experiments.metrics.key import (
    ACCURACY,
    DG,
    LOSS,
    MACRO_ACCURACY,
    OVERALL_ACCURACY,
    UNSEEN_ACCURACY,
    MetricKey,
    accuracy_of,
)
from asc_experiments.metrics.measure import measure, metric_names
from asc_experiments.metrics.metric import (
    METRICS,
    Metric,
    further_metrics,
    is_better_higher,
    is_part_of_one,
    register_metric,
    value_in_words,
)

__all__ = [
    "ACCURACY",
    "DG",
    "LOSS",
    "MACRO_ACCURACY",
    "METRICS",
    "OVERALL_ACCURACY",
    "UNSEEN_ACCURACY",
    "Metric",
    "MetricKey",
    "accuracy",
    "accuracy_of",
    "device_generalization",
    "ece",
    "entropy",
    "further_metrics",
    "is_better_higher",
    "is_part_of_one",
    "loss",
    "measure",
    "metric_names",
    "register_metric",
    "value_in_words",
]

METRICS.load_outside()
