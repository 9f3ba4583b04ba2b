"""Which parameters matter in a study, as Optuna's fANOVA and PED-ANOVA have it."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from asc_experiments.base.progress import say
from asc_experiments.statistics.importances import Importances
from asc_experiments.study.storage.trial_status import finished_with_runs

FEWEST = 10
"""Finished trials that importances take."""
_MOST = 100
"""Trials that are compared: the time of Optuna's fANOVA grows about with their square."""
_ON_TOP = 5
"""Trials that PED-ANOVA wants among the best."""


def parameter_importances(study: optuna.Study) -> Importances | None:
    """How much each parameter decides the first objective, by two methods; None where too little is known.

    Both get the same trials, the finished ones (evenly chosen where there are more than 100), and the same parameters,
    those that all of these have and that vary. (Left to themselves, PED-ANOVA takes conditional parameters too
    and fANOVA does not.)
    """
    finished = [trial for trial in finished_with_runs(study) if math.isfinite(trial.values[0])]
    if len(finished) < FEWEST or len({trial.values[0] for trial in finished}) < 2:
        return None
    chosen = [finished[place * len(finished) // _MOST] for place in range(_MOST)] if len(finished) > _MOST else finished
    has = Counter(name for trial in chosen for name in trial.params)
    names = [name for name, count in has.items() if count == len(chosen)]
    names = [name for name in names if len({repr(trial.params[name]) for trial in chosen}) > 1]
    if not names:
        return None
    try:
        fanova, ped_anova = _shares(study, chosen, names)
    except (ValueError, RuntimeError) as error:  # a space that the evaluators cannot take apart
        say(f"study {study.study_name}: no parameter importances ({error})")
        return None
    left_out = {name: count for name, count in has.most_common() if count < len(chosen)}
    return Importances(len(chosen), fanova, ped_anova, left_out)


def _shares(study: optuna.Study, trials: Sequence[FrozenTrial], names: Sequence[str]) -> list[dict[str, float]]:
    """The shares by fANOVA, and by PED-ANOVA; the evaluators ask what makes values low."""
    # With them comes scikit-learn, a second of which a study of few trials has no use.
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    sign = -1.0 if study.directions[0] == StudyDirection.MAXIMIZE else 1.0
    alone = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    alone.add_trials(
        [
            optuna.trial.create_trial(
                params={name: trial.params[name] for name in names},
                distributions={name: trial.distributions[name] for name in names},
                value=sign * trial.values[0],
            )
            for trial in trials
        ]
    )
    best = min(0.5, max(0.1, _ON_TOP / len(trials)))
    found = []
    with warnings.catch_warnings():  # of few trials, which the report says in words
        warnings.simplefilter("ignore", UserWarning)
        for evaluator in (FanovaImportanceEvaluator(seed=0), PedAnovaImportanceEvaluator(target_quantile=best)):
            shares = get_param_importances(alone, evaluator=evaluator, params=list(names))
            found.append({name: float(share) for name, share in sorted(shares.items(), key=lambda each: -each[1])})
    return found
