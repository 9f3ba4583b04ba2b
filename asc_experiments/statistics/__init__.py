"""The one place that says what "better than noise" means: evidence by place, margins with intervals, chance.

Everything that claims something about networks (champion, report, replication, gains, gates) asks here, and
``docs/explanation/statistics.md`` says in words what is answered and how often that is wrong.
"""

from asc_experiments.statistics.chance import Learning, dg_floor, learning_of
from asc_experiments.statistics.evidence import Evidence, as_one, pooled
from asc_experiments.statistics.margin import CONFIDENCE, Margin, Part, level, margin, paired

__all__ = [
    "CONFIDENCE",
    "Evidence",
    "Learning",
    "Margin",
    "Part",
    "as_one",
    "dg_floor",
    "learning_of",
    "level",
    "margin",
    "paired",
    "pooled",
]
