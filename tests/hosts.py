"""Another host for tests: a program with a host name and a boot of its own, where this user may give it those."""

import shutil
import subprocess
from pathlib import Path

_NAMESPACES = ["unshare", "--uts", "--mount"]
_BOOT = "/proc/sys/kernel/random/boot_id"
_BEGIN = f'hostname "$1" && mount --bind "$2" {_BOOT} && shift 2 && exec "$@"'


def other_host(name: str, folder: Path) -> list[str]:
    """What a command begins with that is run on another host; nothing where that cannot be.

    Args:
        name: the host's.
        folder: of the test, for what the host says of its boot.
    """
    boot = folder / f"boot of {name}"
    boot.write_text("".join(f"{ord(letter):02x}" for letter in name[::-1].ljust(8))[:16] + "\n")
    words = [*_NAMESPACES, "sh", "-c", _BEGIN, "sh", name, str(boot)]
    can = shutil.which("unshare") and not subprocess.run([*words, "true"], capture_output=True).returncode
    return words if can else []
