"""Studies: strict study files, the search space, trials, and the driver that survives being killed."""

from asc_experiments.base.lazy import answer_as_function

answer_as_function(__name__, "asc_experiments.api.workspace")
