#!/bin/sh
# What:    scipy.stats.ttest_ind(equal_var=False), SciPy 1.17.1 (Welch's test with Satterthwaite's degrees of freedom), on
#          groups of equal mean and equal spread: how often it calls them different at 5 %.
# Guess:   5 % or less: Welch's test costs some power where spreads are equal, but keeps its level.
# Found:   2 against 2 students: 2 %; 2 against 5: 6 %; 2 against 10: 10 %. Two values that happen to lie close make a tiny
#          variance, and the degrees of freedom are then taken from the ten others. Student's pooled test keeps 5 % here.
# Why it matters: a challenger with two seeds against a champion with ten is a usual comparison of networks.
# Seen:    2026-11-29: welch_two_against_ten: level at 5 %: 2v2 0.023, 2v5 0.064, 2v10 0.099; pooled 2v10 0.050
. "$(dirname "$0")/venv.inc"
in_venv scipy==1.17.1 numpy==2.4.6 <<'PYTHON'
import numpy as np
from scipy import stats

rng = np.random.default_rng(0)
level = {}
for n, m in ((2, 2), (2, 5), (2, 10)):
    one, other = rng.normal(size=(n, 100_000)), rng.normal(size=(m, 100_000))
    level[n, m] = np.mean(stats.ttest_ind(one, other, equal_var=False).pvalue < 0.05)
pooled = np.mean(stats.ttest_ind(one, other).pvalue < 0.05)
welch = ", ".join(f"{n}v{m} {share:.3f}" for (n, m), share in level.items())
print(f"welch_two_against_ten: level at 5 %: {welch}; pooled 2v10 {pooled:.3f}")
assert level[2, 2] < 0.03 and level[2, 10] > 0.09 and 0.045 < pooled < 0.055, "the behaviour has changed"
PYTHON
