"""Recordings of other layouts as a corpus in the TAU layout: cut into clips, places kept in one fold each."""

from asc_experiments.corpus.importing.corpus import Imported, import_corpus
from asc_experiments.corpus.importing.sources import LAYOUTS, Order

__all__ = ["LAYOUTS", "Imported", "Order", "import_corpus"]
