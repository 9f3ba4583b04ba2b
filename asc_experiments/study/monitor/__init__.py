"""A study seen from outside: watched live, its cost estimated, Optuna's dashboard."""
