"""Counting parameters and MACs."""

import subprocess
import sys

COUNT = """
import sys
from asc_experiments.models import build_model, measure_complexity
print(measure_complexity(build_model("cp_mobile"), 256, 65))
print("compiler:", "torch._dynamo" in sys.modules)
"""


def test_counting_does_not_load_the_compiler_which_takes_a_second() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Complexity(parameters=126952, macs=31680000)", "compiler: False"]
