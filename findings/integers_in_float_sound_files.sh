#!/bin/sh
# What:    soundfile 0.14.0 with its libsndfile 1.2.2: writing integer samples as a WAV of floating point, and reading such
#          a file as integers.
# Guess:   scaled as between integer formats: 16384 of int16 becomes 0.5 in a float file, and 0.5 is read as 16384.
# Found:   neither is scaled. int16 16384 is stored as the float 16384.0, 84 dB above full scale; 0.5 in a float file is read
#          as int16 0, without a warning, so that a recording of a 32-bit float recorder is silence. From and to PCM of any
#          width, integers are scaled.
# Why it matters: corpora are cut and resampled by scripts that keep a recording's own format ("subtype=info.subtype").
# Seen:    2026-11-30: integers_in_float_sound_files: int16 16384 in PCM_24 is 0.5, in FLOAT 16384.0; float 0.5 as int16 is 0
. "$(dirname "$0")/venv.inc"
in_venv soundfile==0.14.0 numpy==2.4.6 <<'PYTHON'
import io

import numpy as np
import soundfile


def through(samples, subtype, dtype="float64"):
    file = io.BytesIO()
    soundfile.write(file, samples, 44_100, format="WAV", subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype=dtype)[0][0]


half = np.full(4, 16384, dtype=np.int16)
in_pcm, in_float = through(half, "PCM_24"), through(half, "FLOAT")
as_integer = through(np.full(4, 0.5), "FLOAT", "int16")
print(
    f"integers_in_float_sound_files: int16 16384 in PCM_24 is {in_pcm}, in FLOAT {in_float}; "
    f"float 0.5 as int16 is {as_integer}"
)
assert (in_pcm, in_float, as_integer) == (0.5, 16384.0, 0), "the behaviour has changed"
PYTHON
