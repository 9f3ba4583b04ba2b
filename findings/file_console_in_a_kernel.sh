#!/bin/sh
# What:    Rich 15.0.0 in a Jupyter kernel (ipykernel 7.4.0, run by nbclient 0.11.0): Console(file=io.StringIO()).print(…)
# Guess:   what is printed is in the file, as it is in a program.
# Found:   the file is empty: in a kernel a Console shows what it prints in the notebook, whatever file it was given. With
#          force_jupyter=False it is in the file.
# Why it matters: reports that a program renders into a text with Rich are empty, and nothing raises, in notebooks alone.
# Seen:    2026-11-30: file_console_in_a_kernel: characters in the file: 0 by default, 8 with force_jupyter=False
. "$(dirname "$0")/venv.inc"
in_venv rich==15.0.0 ipykernel==7.4.0 nbclient==0.11.0 nbformat==5.11.1 <<'PYTHON'
import nbclient
import nbformat

CELL = """
import io
from rich.console import Console
texts = []
for more in ({}, {"force_jupyter": False}):
    file = io.StringIO()
    Console(file=file, **more).print("written")
    texts.append(len(file.getvalue()))
print("lengths", *texts)
"""
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
nbclient.NotebookClient(notebook, timeout=120).execute()
said = "".join(output.text for output in notebook.cells[0].outputs if output.output_type == "stream")
by_default, told = map(int, said.split("lengths ")[1].split())
print(f"file_console_in_a_kernel: characters in the file: {by_default} by default, {told} with force_jupyter=False")
assert by_default == 0 and told >= len("written"), "the behaviour has changed"
PYTHON
