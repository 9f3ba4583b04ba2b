"""W&B's files, offline: ``wandb/`` in the workspace, for ``wandb sync``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asc_experiments.tracking.loggers.logger import RunLogger, StartedRun, register_logger

if TYPE_CHECKING:
    import wandb

# Read by wandb when it is imported.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

_LONGEST_NAME = 128


@register_logger
class WandB(RunLogger):
    """A run of W&B for each of MLflow, of the same id: one project a study, one group a trial."""

    name = "wandb"
    needs = "wandb"
    install = "pip install 'asc_experiments[wandb]'"
    _run: wandb.Run

    def start(self, run: StartedRun) -> None:
        """Begin a run that sends nothing anywhere, unless ``WANDB_MODE`` says otherwise.

        It is one of several at once in a study's driver, prints nothing, and takes neither output nor code along.
        """
        import wandb

        mode: Any = os.environ.get("WANDB_MODE") or "offline"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or re.sub(r"[/\\#?%:]", "_", run.experiment)[:_LONGEST_NAME],
            id=run.run_id,
            name=run.name,
            group=run.group,
            job_type=run.kind,
            notes=f"In MLflow: run {run.run_id}, {run.page}",
            config={"mlflow": {"run_id": run.run_id, "page": run.page}, "tags": dict(run.tags)},
            mode=mode,
            dir=run.workspace,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
            ),
        )
        # Its own steps only grow; scores come after the curves, with the step that MLflow has for them.
        self._run.define_metric("*", step_metric="step")
        # Where this process is killed, wandb's own writes that the run has finished.
        self._run.summary["status"] = "RUNNING"

    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """One row."""
        self._run.log({**values, "step": step})

    def finish(self, status: str, params: Mapping[str, float | str], tags: Mapping[str, str]) -> None:
        """Parameters as the run's config, and how it ended."""
        self._run.config.update({**params, "tags": dict(tags)}, allow_val_change=True)
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == "FINISHED" else 1)
