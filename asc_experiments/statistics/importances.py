"""Which parameters of a study matter, asked of two methods, and told only where they agree.

fANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014) says what part of the objective's variance each parameter explains,
PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023) in which the best trials differ from all. They may name opposite
parameters; then one of them is misled, and nobody knows which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

LEAST_OVERLAP = 0.5
"""Part of the shares that the two methods must give to the same parameters. (Not a rank correlation: parameters that do
not matter stand in any order.)"""
_MOST_SHOWN = (40, 20, 10, 5)


@dataclass(frozen=True)
class Importances:
    """Shares that add up to one, of the parameters that every trial has.

    Attributes:
        trials: how many finished trials they were computed from.
        fanova, ped_anova: the share of each parameter, the largest first.
        left_out: parameters that only some trials have, which neither method compares, with how many have them.
    """

    trials: int
    fanova: Mapping[str, float]
    ped_anova: Mapping[str, float]
    left_out: Mapping[str, int]

    @property
    def first(self) -> tuple[str, str]:
        """The parameter with the largest share by fANOVA, and by PED-ANOVA."""
        return next(iter(self.fanova)), next(iter(self.ped_anova))

    @property
    def overlap(self) -> float:
        """What part of the shares both methods give to the same parameters."""
        return sum(min(share, self.ped_anova[name]) for name, share in self.fanova.items())

    @property
    def agree(self) -> bool:
        """Whether both methods name the same parameter first, and give most of the shares alike."""
        return self.first[0] == self.first[1] and self.overlap >= LEAST_OVERLAP

    @property
    def shares(self) -> Mapping[str, float]:
        """Those of fANOVA where the methods agree; else none."""
        return self.fanova if self.agree else {}

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return {
            "trials": self.trials,
            "fanova": dict(self.fanova),
            "ped_anova": dict(self.ped_anova),
            "left_out": dict(self.left_out),
            "overlap": self.overlap,
            "agree": self.agree,
        }

    def as_text(self, longest: int) -> str:
        """As JSON of at most so many characters: with fewer parameters, those with the smallest shares left out."""
        for most in _MOST_SHOWN:
            kept = [*self.fanova][:most]
            facts = {
                "trials": self.trials,
                "fanova": {name: round(self.fanova[name], 4) for name in kept},
                "ped_anova": {name: round(share, 4) for name, share in self.ped_anova.items() if name in kept},
                "left_out": dict([*self.left_out.items()][:most]),
            }
            if len(text := json.dumps(facts)) <= longest:
                return text
        return ""

    @classmethod
    def from_text(cls, text: str) -> Importances | None:
        """From :meth:`as_text`; None where that is something else, such as the shares that earlier versions logged."""
        try:
            found = json.loads(text)
            fanova, ped_anova = _shares(found["fanova"]), _shares(found["ped_anova"])
            left_out = {str(name): int(trials) for name, trials in found["left_out"].items()}
            is_whole = bool(fanova) and fanova.keys() == ped_anova.keys()
            return cls(int(found["trials"]), fanova, ped_anova, left_out) if is_whole else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _shares(found: Mapping[str, float]) -> dict[str, float]:
    """Shares, the largest first."""
    return {str(name): float(share) for name, share in sorted(found.items(), key=lambda each: -float(each[1]))}
