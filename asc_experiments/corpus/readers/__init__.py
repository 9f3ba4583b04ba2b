"""The corpus layouts that come with the program; see :mod:`asc_experiments.corpus.reader`."""
