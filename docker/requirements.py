"""Print what setup.cfg requires, so that an image's layer of packages does not depend on the code.

Each argument after the file is the name of an extra; the empty one stands for the package itself.
"""

import configparser
import sys


def requirements(path: str, extras: list[str]) -> list[str]:
    """The lines of the package's requirements, or of an extra's, in the order of the arguments.

    Raises:
        KeyError: if there is no such extra.
    """
    config = configparser.ConfigParser()
    with open(path, encoding="utf-8") as file:
        config.read_file(file)
    parts = [
        config["options.extras_require"][extra] if extra else config["options"]["install_requires"] for extra in extras
    ]
    return [line for part in parts for line in part.splitlines() if line and not line.startswith("#")]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], sys.argv[2:])))
