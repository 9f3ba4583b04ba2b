"""A corpus whose clips follow each other in recordings of several seconds, as TAU22's do."""

from collections import Counter
from pathlib import Path

from asc_experiments.corpus import Corpus
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD


def put_in_segments(root: Path) -> Path:
    """Rename the clips of a corpus so that those of one place and device are consecutive seconds of one recording."""
    seconds: Counter[tuple[str, str]] = Counter()
    texts = {name: (root / name).read_text() for name in (META, TRAIN_FOLD, TEST_FOLD)}
    for clip in Corpus.open(root).clips:
        second = seconds[clip.location, clip.device]
        seconds[clip.location, clip.device] += 1
        name = f"audio/{clip.scene}-{clip.place}-900-{second}-{clip.device}.wav"
        (root / clip.filename).rename(root / name)
        texts = {table: text.replace(f"{clip.filename}\t", f"{name}\t") for table, text in texts.items()}
    for table, text in texts.items():
        (root / table).write_text(text)
    return root
