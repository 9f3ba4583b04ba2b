"""``python -m asc_experiments`` is the same program as ``asc``."""

from asc_experiments.cli.main import main

if __name__ == "__main__":
    main()
