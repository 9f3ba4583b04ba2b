"""A network that says which scene a sound is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from asc_experiments.training.inference import Prediction
    from asc_experiments.training.network import SceneNetwork
    from asc_experiments.training.serving import ScenePredictor


class Model:
    """A network, as `Workspace.load` gives it.

    Attributes:
        uri: where it was loaded from.
    """

    def __init__(self, uri: str, network: SceneNetwork) -> None:
        self.uri = uri
        self._network = network

    def __repr__(self) -> str:
        return f"Model({self.uri!r})"

    @property
    def scenes(self) -> tuple[str, ...]:
        """What it tells apart, in the order of its outputs."""
        return self._network.scenes

    @property
    def seconds(self) -> float:
        """How long the windows are that it hears: as long as the clips that it was trained on."""
        from asc_experiments.corpus.audio import SAMPLE_RATE

        return self._network.samples / SAMPLE_RATE

    @property
    def devices(self) -> tuple[str, ...]:
        """The recording devices that it has networks of their own for; none of most models."""
        return tuple(sorted(self._network.of_devices))

    def predict(
        self,
        sounds: str | Path | Sequence[str | Path] | np.ndarray | pd.DataFrame,
        *,
        device: str | None = None,
        device_from: str | None = None,
        every: float | None = None,
    ) -> pd.DataFrame:
        """Say of sounds of any length and sampling rate which scene they are: `asc predict`.

        Args:
            sounds: sound files, or folders of them; or an array ``(sounds, samples)`` at 32 kHz; or a table with the
                column ``waveform`` (samples in [-1, 1]), where it is not 32 kHz ``sampling_rate`` in Hz, and of a model
                with networks for devices ``device``.
            device: that recorded all of the files, for a model with networks for devices.
            device_from: where the device stands in a path: what the group of this regular expression matches.
            every: in seconds: an answer per window begun every so often, with its ``begin`` and ``end``.

        Returns:
            A row per sound, in order: of files `file` (and `begin`, `end` in seconds); `scene`; its `probability`; and
            `probability/SCENE` per scene. The index of a table is kept.

        Raises:
            AscError: if there are no sounds, or one cannot be read; names each that cannot.
        """
        import numpy as np
        import pandas as pd

        from asc_experiments.base.errors import AscError

        if not isinstance(sounds, np.ndarray | pd.DataFrame):
            paths = [sounds] if isinstance(sounds, str | Path) else sounds
            return self._of_files([Path(path) for path in paths], device, device_from, every)
        for name, value in {"device": device, "device_from": device_from, "every": every}.items():
            if value is not None:
                raise AscError(name, "is said of sound files", "omit it; a table may have a column 'device'")
        return self._predictor.predict(sounds)

    def _of_files(
        self, paths: Sequence[Path], device: str | None, pattern: str | None, every: float | None
    ) -> pd.DataFrame:
        from asc_experiments.base.errors import AscError, together
        from asc_experiments.base.progress import progress, say
        from asc_experiments.training.inference import classify_along, classify_files, find_sound_files
        from asc_experiments.training.recording_devices import read_devices

        if not paths:
            raise AscError("sounds", "are none", "give sound files or folders of them")
        files, _ = find_sound_files(paths)
        device_of = read_devices(self._network, self.uri, device, pattern)
        along = None if every is None else classify_along(self._network, files, every, device_of)
        found: list[Prediction] = []
        with progress(len(files), "predicting", "files") as advance:
            for each in along or classify_files(self._network, files, device_of):
                found.append(each)
                advance(int(each.is_last))
        if broken := [AscError(each.path, each.error, "omit it") for each in found if each.error]:
            raise together(broken)
        if told := device_of.told(len(files)):
            say(told)
        return self._table(found, timed=along is not None)

    def _table(self, found: Iterable[Prediction], timed: bool) -> pd.DataFrame:
        import pandas as pd

        from asc_experiments.training.serving import PROBABILITY, SCENE, distribution_columns

        columns = dict(zip(self.scenes, distribution_columns(self.scenes), strict=True))
        rows: list[dict[str, Any]] = []
        for each in found:
            row: dict[str, Any] = {"file": str(each.path)} | ({"begin": each.begin, "end": each.end} if timed else {})
            row |= {SCENE: each.scene, PROBABILITY: each.probability}
            rows.append(row | {columns[scene]: value for scene, value in (each.distribution or {}).items()})
        return pd.DataFrame(rows)

    @cached_property
    def _predictor(self) -> ScenePredictor:
        from asc_experiments.training.serving import ScenePredictor

        return ScenePredictor(self._network)
