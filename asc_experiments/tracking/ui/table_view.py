"""How MLflow's page shows an experiment: which runs, in which order, and the columns that one compares.

MLflow keeps a page's state under a key in a tag of the experiment, for links that people share. We write such a state,
so that one link opens the table as it is meant to be read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asc_experiments.metrics import DEVICE, DG, GROUP, METRICS, OVERALL_ACCURACY, accuracy_of
from asc_experiments.tracking.client.limits import EXPERIMENT_TAG
from asc_experiments.tracking.client.links import VIEW, page_of
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND

if TYPE_CHECKING:  # with it comes MLflow
    from asc_experiments.tracking.client.client import Tracking

STATE = f"mlflow.sharedViewState.{VIEW}"
"""The tag of an experiment that holds the state of its page, JSON."""
_GROUPS = ("unseen", "seen", "real")
_COSTS = ("complexity/macs", "complexity/macs_torchinfo", "complexity/parameters")
_PIXELS_PER_LETTER, _FIRST_PIXELS = 6, 320


def page_view(
    kind: str,
    params: Sequence[str],
    devices: Sequence[str],
    order: str,
    leading: Sequence[str] = (),
    lowest_first: bool = False,
) -> dict[str, str]:
    """The tags of an experiment whose runs of one kind are compared.

    Args:
        kind: of the runs in the table; others stay out of it.
        params: the parameters that are columns, the first one in front of the metrics.
        devices: those of the test fold.
        order: the metric that the table is sorted by, and that charts begin with.
        leading: metrics that stand before the accuracies.
        lowest_first: whether the table begins with the lowest value of that metric, as where a lower one is better.
    """
    scores = [OVERALL_ACCURACY, *(accuracy_of(GROUP, group) for group in _GROUPS), DG]
    scores += [str(metric.key) for metric in METRICS.values() if metric.source is not None]
    per_device = [accuracy_of(DEVICE, device) for device in devices]
    metrics = list(dict.fromkeys([*leading, *scores, *per_device, *_COSTS]))
    columns = [f"metrics.`{name}`" for name in metrics]
    columns[0:0] = [f"params.`{params[0]}`"]
    columns += [f"params.`{name}`" for name in params[1:]]
    state = {
        "searchFilter": where({KIND: kind}),
        "orderByKey": f"metrics.`{order}`",
        "orderByAsc": lowest_first,
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {column: _PIXELS_PER_LETTER * len(column) for column in columns} | {columns[0]: _FIRST_PIXELS},
    }
    tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.experiment.primaryMetric.name": order}
    text = json.dumps(state, separators=(",", ":"))
    return tags | ({STATE: text} if len(text) <= EXPERIMENT_TAG else {})


def pages(tracking: Tracking) -> dict[str, str]:
    """The part of a link behind the server's address that opens each experiment of ours, by its name, newest first."""
    return {each.name: page_of(each.experiment_id) for each in tracking.all_experiments() if STATE in each.tags}
