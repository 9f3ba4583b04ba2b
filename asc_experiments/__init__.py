"""asc_experiments: find out which teachers make the best tiny acoustic-scene student, and ship that student."""

__version__ = "0.1.0"
