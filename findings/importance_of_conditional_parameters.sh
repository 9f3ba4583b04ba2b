#!/bin/sh
# What:    optuna.importance.get_param_importances of Optuna 5.0.0 without further arguments, on a study in which one
#          parameter exists only where another has a certain value.
# Guess:   as with fANOVA, the default of earlier versions: only parameters that every trial has get an importance, which is
#          their share of the variance over all trials.
# Found:   the default is PED-ANOVA now, and it lists the conditional parameter too: three importances that sum to 1, of
#          which one is of a part of the trials. fANOVA on the same study leaves it out. So the bars of one study are of
#          different trials, and shares before and after an upgrade do not compare.
# Why it matters: settings of one kind of teacher exist only in trials that have it.
# Seen:    2026-11-30: importance_of_conditional_parameters: default arch lr patchout; fANOVA arch lr; patchout in 35 of 60
. "$(dirname "$0")/venv.inc"
in_venv optuna==5.0.0 scikit-learn==1.9.1 <<'PYTHON'
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    arch = trial.suggest_categorical("arch", ["convolutions", "transformer"])
    value = trial.suggest_float("lr", 0, 1)
    return value + 0.2 * trial.suggest_float("patchout", 0, 1) if arch == "transformer" else value


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=60)
by_default = sorted(get_param_importances(study))
by_fanova = sorted(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))
trials = sum("patchout" in trial.params for trial in study.trials)
print(
    f"importance_of_conditional_parameters: default {' '.join(by_default)}; fANOVA {' '.join(by_fanova)}; "
    f"patchout in {trials} of 60"
)
assert by_default == ["arch", "lr", "patchout"] and by_fanova == ["arch", "lr"] and trials == 35, "the behaviour has changed"
PYTHON
