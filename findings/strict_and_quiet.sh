#!/bin/sh
# What:    MkDocs 1.6.1, `mkdocs build --strict --quiet` on pages with a link that leads nowhere.
# Guess:   --strict fails on warnings whether or not they are printed.
# Found:   with --quiet it returns 0 and builds the site: warnings are counted by the handler that prints, which is set to
#          errors only. Without --quiet it returns 1.
# Why it matters: a check that is made quiet for the log of a CI passes every broken link from then on.
# Seen:    2026-11-30: strict_and_quiet: mkdocs build --strict returns 1, with --quiet 0
. "$(dirname "$0")/venv.inc"
in_venv mkdocs==1.6.1 <<'PYTHON'
import subprocess
import sys
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "docs").mkdir()
    Path(folder, "mkdocs.yml").write_text("site_name: site\n")
    Path(folder, "docs", "index.md").write_text("# Home\n\n[gone](nowhere.md)\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    codes = [
        subprocess.run([*command, *more], cwd=folder, capture_output=True, check=False).returncode
        for more in ((), ("--quiet",))
    ]
print(f"strict_and_quiet: mkdocs build --strict returns {codes[0]}, with --quiet {codes[1]}")
assert codes == [1, 0], "the behaviour has changed"
PYTHON
