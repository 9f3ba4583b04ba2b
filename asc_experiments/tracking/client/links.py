"""Links to MLflow's pages: the part behind the server's address, so that they hold on whichever server.

MLflow shows everything in one of two ways, and opens in the one for language models ("GenAI"), whose pages have no
table of runs, unless the browser was told otherwise. So every link asks for the other one, "Model training".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from asc_experiments.tracking.client.records import RunRecord

VIEW = "compare"
"""The key of the state that an experiment's page opens in, see :mod:`asc_experiments.tracking.ui.table_view`."""
_MODE = "workflowType=machine_learning"


def first_page() -> str:
    """The list of experiments."""
    return f"#/experiments?{_MODE}"


def page_of(experiment_id: str) -> str:
    """An experiment: the table of its runs, as it is meant to be read."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={VIEW}&{_MODE}"


def page_of_run(experiment_id: str, run_id: str, tab: str = "") -> str:
    """A run.

    Args:
        experiment_id: the run's.
        run_id: its id.
        tab: what of it is opened, such as ``artifacts/figures/devices.png``; the overview by default.
    """
    return f"#/experiments/{experiment_id}/runs/{run_id}{f'/{tab}' if tab else ''}?{_MODE}"


def page_of_comparison(runs: Sequence[RunRecord]) -> str:
    """Runs side by side, of whichever experiments."""
    ids = json.dumps([run.run_id for run in runs], separators=(",", ":"))
    experiments = json.dumps(list(dict.fromkeys(run.experiment_id for run in runs)), separators=(",", ":"))
    return f"#/compare-runs?runs={quote(ids)}&experiments={quote(experiments)}&{_MODE}"
