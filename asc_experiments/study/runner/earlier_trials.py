"""A new study that begins with the trials of an earlier one, such as one whose settings were changed since."""

from __future__ import annotations

from optuna.storages import BaseStorage
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.search.suggestions import exact_params
from asc_experiments.study.storage.open_storage import load_study
from asc_experiments.study.storage.trial_status import counted, standing


def with_trials_of(file: StudyFile, storage: BaseStorage, earlier: str | None) -> StudyFile:
    """A study with the finished trials of an earlier one among those that it runs first; as it is where none is named.

    They are run again, with this study's settings; teachers that these do not concern are in the bank. Their order is
    the earlier study's, so that its baseline is this one's, too, unless the file lists trials of its own.

    Raises:
        AscError: for an unknown study, for a grid, and where no trial lies in this study's space.
    """
    if earlier is None:
        return file
    where, study = f"--trials-of {earlier}", load_study(storage, earlier)
    if file.sampler == "grid":
        raise AscError(where, "adds nothing to a grid, which runs every cell by itself", "omit it")
    space = SearchSpace(file)
    trials = standing([t for t in counted(study.get_trials(deepcopy=False)) if t.state == TrialState.COMPLETE])
    found = [exact_params(trial.params, trial.distributions) for trial in trials]
    fitting = [params for params in found if _fits(space, params)]
    if not fitting:
        raise AscError(where, f"none of its {len(found)} finished trials is one of this study's", "omit it")
    outside = f"; {len(found) - len(fitting)} more lie outside of its space" if len(fitting) < len(found) else ""
    say(f"study {file.name}: begins with {len(fitting)} trials of study {earlier}{outside}")
    enqueue = (*file.enqueue, *(params for params in fitting if params not in file.enqueue))
    return file.model_copy(update={"enqueue": enqueue})


def _fits(space: SearchSpace, params: dict[str, bool | int | float | str]) -> bool:
    try:
        space.plan_of(params, "")
    except AscError:
        return False
    return True
