"""A study: what its trials reached, its report, its best student on the way to the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from asc_experiments.api.workspace import Workspace
    from asc_experiments.report.analysis.findings import Findings
    from asc_experiments.tracking.registry.registration import Registered


class Study:
    """A study of a workspace, as `study` and `Workspace.run` give it. It is read anew at each call.

    Attributes:
        name: the study's.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace = workspace
        self.name = name

    def __repr__(self) -> str:
        return f"Study({self.name!r})"

    def status(self) -> dict[str, Any]:
        """How far it has come, as Optuna's storage has it: the facts of `asc study status --json`.

        Raises:
            AscError: if there is no study of that name.
        """
        from asc_experiments.study.storage.open_storage import load_study, open_storage
        from asc_experiments.study.storage.trial_status import study_status

        environment = self._workspace._environment
        return study_status(load_study(open_storage(environment.workspace, environment.storage), self.name)).facts()

    def trials(self, every: bool = False) -> pd.DataFrame:
        """Its finished trials, a row each under its number, ``trial``.

        Columns are what a trial is: `name`, `status` and `run_id` of its run in MLflow; `taught_by`, its teachers in
        short; `teachers`, their keys with blanks between; `cell`, the same for trials that differ by their students'
        seeds alone; `counts`, whether it is a candidate (of a cell only the latest is, whose means are over all of its
        students); `best`; and `note`, what must be known beside its figures, say that it cannot be told from the best.
        Then each [parameter](tags-and-metrics.md#parameters) as `params.NAME`, and each
        [metric](tags-and-metrics.md#metrics) by its own name: `accuracy/macro` is the mean over the trial's students,
        `std/accuracy/macro` the standard deviation.

        Args:
            every: whether pruned and failed trials stand among them, with what they had reached.

        Raises:
            AscError: if the tracking server knows no study of that name.
        """
        from asc_experiments.api.tables import trials_table

        return trials_table(self._findings(), every)

    def teachers(self) -> pd.DataFrame:
        """The teachers of its finished trials, a row each under its ``key``, in the order of their first use.

        Columns are `name`, `status`, `run_id`, `imported` (the name of what was imported; empty for a teacher that was
        trained here), and parameters and metrics as `trials` has them.

        Raises:
            AscError: if the tracking server knows no study of that name.
        """
        from asc_experiments.api.tables import teachers_table

        return teachers_table(self._findings().runs.teachers)

    def report(
        self,
        format: Literal["table", "html", "md", "csv", "json"] | None = None,
        *,
        beside: Sequence[str] = (),
        output: str | Path | None = None,
    ) -> str:
        """The report as text: `asc report`.

        Args:
            format: how it is written; as the file's ending says by default, else a table.
            beside: other studies that stand beside this one.
            output: a file that it is written to as well, replaced if it exists.

        Raises:
            AscError: if the tracking server knows no study of a name, or the file cannot be written.
        """
        from asc_experiments.base.errors import AscError, nearest
        from asc_experiments.base.files import whole_file
        from asc_experiments.report.render.formats import Format, format_of
        from asc_experiments.report.writing import find, render

        if format is not None and format not in list(Format):
            raise AscError("format", f"is {format!r}", nearest(str(format), list(Format)))
        path = None if output is None else Path(output)
        findings = find(self._workspace._tracking, [self.name, *beside])
        text = render(findings, format_of(path) if format is None else Format(format))
        if path is not None:
            with whole_file(path) as write:
                write(text.encode())
        return text

    def register(
        self,
        model: str = "asc-student",
        alias: str = "champion",
        *,
        replace: bool = False,
        allow_chance: bool = False,
        max_parameters: int | None = None,
        max_macs: int | None = None,
        max_macs_torchinfo: int | None = None,
        max_bytes: int | None = None,
        precision: Literal["int8", "float16", "float32"] = "int8",
        limits: Mapping[str, float] | None = None,
    ) -> Registered:
        """Register the best trial's student, with a model card: `asc register`.

        Args:
            model: its name in the Model Registry.
            alias: for this version; ``champion`` moves only to what is better by more than noise, and what is not
                becomes ``challenger``.
            replace: move ``champion`` in any case.
            allow_chance: register a student that does no better than guessing, too.
            max_parameters: a gate: the most parameters.
            max_macs: the most MACs for one clip, counted by ptflops.
            max_macs_torchinfo: the same, counted by torchinfo.
            max_bytes: the most bytes of the parameters, as if stored at ``precision``.
            precision: for ``max_bytes``.
            limits: gates by metric on the test fold, such as ``{"accuracy/group/unseen": 0.5}``: the least where
                higher is better, else the most.

        Raises:
            AscError: if no trial has finished, a name is not valid, a gate fails, or the student is at chance; nothing
                is registered then.
        """
        from asc_experiments.tracking.registry.gates import Gates
        from asc_experiments.tracking.registry.registration import register_best

        gates = Gates(max_parameters, max_macs, max_bytes, dict(limits or {}), precision, max_macs_torchinfo)
        return register_best(
            self._workspace._tracking,
            self.name,
            model,
            alias,
            gates=gates,
            replace=replace,
            allow_chance=allow_chance,
            cache=self._workspace._environment.cache,
        )

    def _findings(self) -> Findings:
        from asc_experiments.report.writing import find

        return find(self._workspace._tracking, [self.name])[0]
