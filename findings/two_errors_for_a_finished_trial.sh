#!/bin/sh
# What:    Optuna 5.0.0: writing into a trial that has finished, as where another process told its end first.
# Guess:   whatever is written, the error is optuna.exceptions.UpdateFinishedTrialError, a RuntimeError of Optuna's.
# Found:   Study.tell raises a plain ValueError; attributes, intermediate values and the storage's own call raise the other.
#          With skip_if_finished=True, tell passes silently and gives the trial with its first value.
# Why it matters: drivers that share a storage and catch the one error end with the other.
# Seen:    2026-11-30: two_errors_for_a_finished_trial: tell ValueError, set_user_attr UpdateFinishedTrialError, report UpdateFinishedTrialError, storage UpdateFinishedTrialError; skipped, the value stays 0.5
. "$(dirname "$0")/venv.inc"
in_venv optuna==5.0.0 <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study()
trial = study.ask()
study.tell(trial, 0.5)
done = optuna.trial.TrialState.COMPLETE
calls = {
    "tell": lambda: study.tell(trial, 0.6),
    "set_user_attr": lambda: trial.set_user_attr("note", 1),
    "report": lambda: trial.report(0.1, 3),
    "storage": lambda: study._storage.set_trial_state_values(trial._trial_id, done, [0.6]),
}
raised = {}
for name, call in calls.items():
    try:
        call()
    except (ValueError, RuntimeError) as error:
        raised[name] = type(error).__name__
kept = study.tell(trial, 0.6, skip_if_finished=True).values[0]
said = ", ".join(f"{name} {error}" for name, error in raised.items())
print(f"two_errors_for_a_finished_trial: {said}; skipped, the value stays {kept}")
assert set(list(raised.values())[1:]) == {"UpdateFinishedTrialError"} and raised["tell"] == "ValueError", (
    "the behaviour has changed"
)
assert len(raised) == 4 and kept == 0.5, "the behaviour has changed"
PYTHON
