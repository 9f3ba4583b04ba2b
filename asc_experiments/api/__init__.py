"""The Python API: what ``import asc_experiments as asc`` gives. As thin as the command line, and beside it."""
