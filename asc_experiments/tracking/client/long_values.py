"""Values that are too long for a tag: kept whole as a file beside the run, or the experiment, and read back as the tag.

The tag then says which file it is, and what is in it::

    asc.searched    see file values/asc.searched.6f1e….txt

A file is named after what is in it, so that the tag of one moment never leads to the value of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes

_BEGINS = "see file "
_TAG = re.compile(r"see file (values/[\w.-]{1,200}\.([0-9a-f]{32})\.txt)")
_MLFLOW = "mlflow."
"""Tags of MLflow's own are what its pages read: a text there is cut, and is no file."""


@dataclass(frozen=True)
class LongValue:
    """A value as it is kept: the file's name and content, and the tag that leads there."""

    path: str
    content: bytes

    @property
    def tag(self) -> str:
        """What stands in the tag."""
        return f"{_BEGINS}{self.path}"


def split(tags: Mapping[str, object], most: int) -> tuple[dict[str, str], dict[str, LongValue]]:
    """Tags that may be set as they are, and those whose values are to be kept as files, by their keys.

    Args:
        tags: all of them.
        most: how many characters a tag may have.
    """
    texts = {key: str(value) for key, value in tags.items()}
    long = {key: value for key, value in texts.items() if len(value) > most and not key.startswith(_MLFLOW)}
    return {key: value for key, value in texts.items() if key not in long}, {
        key: _kept(key, value) for key, value in long.items()
    }


def is_whole(tags: Mapping[str, str]) -> bool:
    """Whether stored tags are as they were set: none of them is a file."""
    return not any(value.startswith(_BEGINS) for value in tags.values())


def whole(tags: Mapping[str, str], read: Callable[[str], bytes]) -> Mapping[str, str]:
    """Tags as they were set. Those that are files are read when they are first asked for.

    Args:
        tags: as they are stored.
        read: gives the content of a file of the run or experiment, by its path.
    """
    return tags if is_whole(tags) else _Tags(tags, read)


class _Tags(Mapping[str, str]):
    """Tags some of which are files."""

    def __init__(self, stored: Mapping[str, str], read: Callable[[str], bytes]) -> None:
        self._stored, self._read = dict(stored), read

    def __getitem__(self, key: str) -> str:
        value = self._stored[key]
        found = _TAG.fullmatch(value)
        if found is not None:
            content = self._read(found[1])
            if digest_bytes(content) != found[2]:
                raise AscError(found[1], f"is not what tag {key} was set to", "restore it, or delete the run")
            value = self._stored[key] = content.decode()
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        return repr(self._stored)


def _kept(key: str, value: str) -> LongValue:
    content = value.encode()
    return LongValue(f"values/{re.sub(r'[^A-Za-z0-9._-]', '_', key)[:200]}.{digest_bytes(content)}.txt", content)
