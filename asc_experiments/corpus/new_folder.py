"""Write a folder that appears when it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from asc_experiments.base.errors import AscError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, to be written into; it takes its name at the end, and is gone after an error.

    Args:
        folder: does not exist, or is empty.

    Raises:
        AscError: if the folder is in use or cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AscError(folder, "already exists and is not empty", "give a new folder, or remove it first")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as error:
        raise AscError(folder, f"cannot be written ({error.strerror})", "give a folder you may write to") from None
    except soundfile.LibsndfileError as error:  # a full disk, where it is a sound file that does not fit
        what = f"cannot be written ({error.error_string.rstrip('.')})"
        raise AscError(folder, what, "is the disk full? Free some space, or give a folder you may write to") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
