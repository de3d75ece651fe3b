"""Other Pythons, each with an environment of its own, made as the Makefile makes `.venv`."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def record_with(python, *options):
    """Run the guard's `--record` with another Python; return its exit status."""
    version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    home = ROOT / ".cache" / "guard" / f"python{version}"
    of_home = home / "bin" / "python"
    if not of_home.exists():
        _output(python, "-m", "venv", home)
    constraints = ROOT / "constraints.txt"
    _output(of_home, "-m", "pip", "install", "--quiet", "-c", constraints, "-e", ROOT)
    command = [of_home, HERE, "--record", *options]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - this folder


def _output(*command):
    """Run a program that must succeed; return what it printed."""
    return subprocess.check_output(command, text=True).strip()  # noqa: S603 - as named by the user
