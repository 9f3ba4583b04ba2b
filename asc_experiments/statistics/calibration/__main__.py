"""Print the tables: ``python -m asc_experiments.statistics.calibration``."""

from __future__ import annotations

import argparse
import os
import sys

from asc_experiments.statistics.calibration.tables import TABLES, simulations


def main(arguments: list[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=500, help="of each setting (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--only", choices=[table.__name__ for table in TABLES], help="one group of tables")
    options = parser.parse_args(arguments)
    with simulations(max(2, options.repetitions), max(1, options.workers)) as simulated:
        for table in TABLES:
            if options.only in (None, table.__name__):
                print(table(simulated))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
