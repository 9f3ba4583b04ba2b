#!/bin/sh
# What:    soundfile 0.14.0 with its libsndfile 1.2.2: reading a FLAC whose header says 0 samples, which is how the format
#          says "not known" (RFC 9639, section 8.2) and what an encoder writes into a pipe that it cannot rewind.
# Guess:   read(n) gives block after block, the last one shorter; the number of frames is 0 or not known.
# Found:   the number of frames is 2^63 - 1, and the read that reaches the end raises, because soundfile seeks to where it
#          thinks it is after each one: its samples are lost. A file that says it cannot seek is read to its end.
# Why it matters: recorders and converters that write through a pipe leave such files, and players play them.
# Seen:    2026-11-30: flac_of_unknown_length: of 32,000 samples in blocks of 20,000: [20000] then LibsndfileError; not seekable: [20000, 12000]
. "$(dirname "$0")/venv.inc"
in_venv soundfile==0.14.0 numpy==2.4.6 <<'PYTHON'
import io

import numpy as np
import soundfile


class FromPipe(soundfile.SoundFile):
    def seekable(self):
        return False


def blocks(file):
    found = []
    try:
        while not found or found[-1] == 20_000:
            found.append(len(file.read(20_000)))
    except soundfile.LibsndfileError as error:
        return found, type(error).__name__
    return found, ""


written = io.BytesIO()
soundfile.write(written, 0.5 * np.sin(np.arange(32_000) / 20), 32_000, format="FLAC", subtype="PCM_16")
content = bytearray(written.getvalue())
stream_info = 8  # after "fLaC" and the header of the first block
content[stream_info + 13] &= 0xF0  # the upper 4 of 36 bits of the number of samples
content[stream_info + 14 : stream_info + 18] = bytes(4)
plain, piped = soundfile.SoundFile(io.BytesIO(bytes(content))), FromPipe(io.BytesIO(bytes(content)))
frames, found, rest = plain.frames, blocks(plain), blocks(piped)
print(
    f"flac_of_unknown_length: of 32,000 samples in blocks of 20,000: {found[0]} then {found[1]}; "
    f"not seekable: {rest[0]}"
)
assert (frames, found, rest) == (2**63 - 1, ([20_000], "LibsndfileError"), ([20_000, 12_000], "")), (
    "the behaviour has changed"
)
PYTHON
