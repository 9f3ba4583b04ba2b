#!/bin/sh
# What:    Optuna 5.0.0, get_param_importances with its default evaluator (PED-ANOVA), on a study of 20 trials.
# Guess:   the values of all 20 trials decide the importances, as with fANOVA.
# Found:   the best tenth does, which is two trials: dealing the values of the other 18 out anew leaves every importance as
#          it was, to the last digit, while fANOVA's most important parameter becomes another.
# Why it matters: the figure that dashboards draw of a short study is about two trials, and looks as sure as one of 500.
# Seen:    2026-11-30: importance_by_two_of_twenty_trials: the other 18 values dealt out anew: PED-ANOVA's importances are the same, fANOVA's first is a instead of c
. "$(dirname "$0")/venv.inc"
in_venv optuna==5.0.0 scikit-learn==1.9.1 numpy==2.4.6 <<'PYTHON'
import numpy as np
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
unit = {name: optuna.distributions.FloatDistribution(0, 1) for name in "abc"}
points = np.random.default_rng(1).random((20, 3))


def importances(values, evaluator=None):
    study = optuna.create_study(direction="maximize")
    for point, value in zip(points, values, strict=True):
        params = dict(zip("abc", map(float, point), strict=True))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=unit, value=float(value)))
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


values = np.arange(20.0)[::-1]  # the first two are the best
dealt = values.copy()
dealt[2:] = np.random.default_rng(5).permutation(dealt[2:])
same = importances(values) == importances(dealt)
first = [next(iter(importances(v, optuna.importance.FanovaImportanceEvaluator(seed=0)))) for v in (values, dealt)]
print(
    f"importance_by_two_of_twenty_trials: the other 18 values dealt out anew: PED-ANOVA's importances are "
    f"{'the same' if same else 'others'}, fANOVA's first is {first[1]} instead of {first[0]}"
)
assert same and first[0] != first[1], "the behaviour has changed"
PYTHON
