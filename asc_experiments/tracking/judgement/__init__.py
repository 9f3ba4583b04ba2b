"""What may be said of a trial: whether its students learned anything, from whom, and whether it is the best.

A report's headline, a registration and a model card ask here before they praise anything, and use these sentences. What
counts as noise is decided in :mod:`asc_experiments.statistics`.
"""
