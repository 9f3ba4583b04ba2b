"""asc_experiments: find out which teachers make the best tiny acoustic-scene student, and ship that student.

What stands in ``__all__`` is the Python API; docs/reference/python-api.md describes it. It is imported when it is asked
for. (A stored model carries this file without the rest of the package.)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.api.bank import Bank
    from asc_experiments.api.model import Model
    from asc_experiments.api.study import Study
    from asc_experiments.api.workspace import Workspace, corpus, study, workspace
    from asc_experiments.base.errors import AscError
    from asc_experiments.corpus.index import Corpus
    from asc_experiments.distill.teacher import Teacher
    from asc_experiments.tracking.registry.registration import Registered

__version__ = "0.1.0"
__all__ = [
    "AscError", "Bank", "Corpus", "Model", "Registered", "Study", "Teacher", "Workspace", "corpus", "study",
    "workspace",
]  # fmt: skip

_get = importing(
    __name__,
    {
        "AscError": "base.errors",
        "Bank": "api.bank",
        "Corpus": "corpus.index",
        "Model": "api.model",
        "Registered": "tracking.registry.registration",
        "Study": "api.study",
        "Teacher": "distill.teacher",
        "Workspace": "api.workspace",
        "workspace": "api.workspace",
    },
)


def __getattr__(name: str) -> Any:
    if name in ("corpus", "study"):  # packages that answer as functions
        return import_module(f"{__name__}.{name}")
    return _get(name)
