"""What is done to training clips, as a Recipe says it: the settings of all augmentations, side by side."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import (
    SerializerFunctionWrapHandler,
    ValidationError,
    create_model,
    model_serializer,
    model_validator,
)

from asc_experiments.augment.augmentation import STAGES, Augmentation
from asc_experiments.augment.augmentations import AUGMENTATIONS
from asc_experiments.base.settings import Settings


class _AllOfThem(Settings):
    """What settings of all augmentations can do, whichever there are."""

    @model_validator(mode="after")
    def _fit_each_other(self) -> _AllOfThem:
        try:
            mixing = [each.name for each in switched_on(self) if each.stage == "mixing"]
        except ValidationError as error:  # what an augmentation checks of its own settings
            raise ValueError(error.errors()[0]["msg"]) from None
        if len(mixing) > 1:
            raise ValueError(f"{' and '.join(mixing)} both mix clips; keep one")
        return self

    @model_serializer(mode="wrap")
    def _without_absent(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Those of a package that is switched off are left out: they mean nothing where it is not installed."""
        return without_absent(written(self))


def without_absent(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those of other packages' augmentations that are off."""
    off = {
        name
        for kind in AUGMENTATIONS.values()
        if kind.source is not None and not kind.is_on(settings)
        for name in kind.model_fields
    }
    return {name: value for name, value in settings.items() if name not in off} if off else settings


@lru_cache(maxsize=1_024)
def switched_on(settings: AugmentationSettings) -> tuple[Augmentation, ...]:
    """The augmentations that are on, in the order in which they are applied and draw."""
    return tuple(kind.of(settings) for kind in in_order() if kind.is_on(settings))


@lru_cache(maxsize=1)
def in_order() -> tuple[type[Augmentation], ...]:
    """Every augmentation there is, in the order in which they are applied."""
    return tuple(sorted(AUGMENTATIONS.values(), key=lambda kind: (STAGES.index(kind.stage), kind.order, kind.name)))


if TYPE_CHECKING:

    class AugmentationSettings(_AllOfThem):
        """The settings of all augmentations there are, by name."""

        def __init__(self, **settings: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:

    def _described() -> str:
        """What the augmentations' docstrings say of their settings, together."""
        told = [inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2].rstrip() for kind in in_order()]
        return "\n".join(["The settings of all augmentations there are.\n\nAttributes:", *filter(None, told)])

    _fields = {name: (info.annotation, info) for kind in in_order() for name, info in kind.model_fields.items()}
    AugmentationSettings = create_model(
        "AugmentationSettings",
        __base__=_AllOfThem,
        __module__=__name__,
        __doc__=_described(),
        **_fields,
    )
