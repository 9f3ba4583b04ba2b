"""A corpus layout as another package would add it: this one file, and a line of the package's description."""

import json
from collections.abc import Iterable
from pathlib import Path

from asc_experiments.base.errors import Problem
from asc_experiments.corpus import Clip, CorpusReader, register_corpus_reader


@register_corpus_reader
class CityFolders(CorpusReader):
    """Sound files in a folder per city, and one JSON file that describes them."""

    name = "city_folders"
    layout = "clips.json and a folder of sound files per city"
    table = "clips.json"

    def claims(self, root: Path) -> bool:
        """Whether there is a file of descriptions."""
        return (root / "clips.json").is_file()

    def read(self, root: Path, problems: list[Problem]) -> Iterable[Clip]:
        """The clips in the order of the file."""
        for clip in json.loads((root / "clips.json").read_text()):
            if "phone" not in clip:
                problems.append(Problem("clips.json", f"{clip['file']} has no phone", "say what recorded it"))
                continue
            yield Clip(
                filename=clip["file"],
                scene=clip["scene"],
                place=clip["place"],
                device=clip["phone"],
                fold=clip["fold"],  # "train", "test", or "" where no experiment uses it
                recording=clip["take"],  # "" where it is not known
                position=clip["second"],
            )
