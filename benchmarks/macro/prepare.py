"""What the benchmark needs beside this checkout: found, or installed once.

A virtual environment per Python and the packages for Node go into `.cache/bench`; wrk and nginx
are Debian's. Nothing is measured without wrk. Whatever else cannot be had is told, and the
subjects that need it are left out.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["NODE_MODULES", "Paths", "installed", "prepare"]

MACRO = Path(__file__).resolve().parent
APPS = MACRO / "apps"
ROOT = MACRO.parent.parent
CACHE = ROOT / ".cache" / "bench"
NODE = CACHE / "node"
NODE_MODULES = NODE / "node_modules"
REQUIREMENTS = MACRO / "requirements.txt"
LIST_PACKAGES = """
import importlib.metadata, json
print(json.dumps({each.name.lower(): each.version for each in importlib.metadata.distributions()}))
"""

Say = Callable[[str], object]


@dataclass(frozen=True)
class Paths:
    """Where everything is."""

    python: Path  # of the virtual environment
    wrk: str
    nginx: str  # "" where there is none, as `node`
    node: str
    apps: Path = APPS
    cache: Path = CACHE
    missing: frozenset[str] = frozenset()  # programs and packages that could not be had


def prepare(say: Say = print) -> Paths:
    """Find or install everything, for the Python that runs this; exit where wrk cannot be had."""
    wrk, nginx, node = find("wrk", say), find("nginx", say), which("node")
    if not wrk:
        raise SystemExit("the benchmark needs wrk, and may not install it: apt-get install wrk")
    missing = prepare_python(say)
    if not nginx:
        missing.append("nginx")
    if not (node and prepare_node(say)):
        missing.append("node")
    if missing:
        say(f"not to be had here, so their subjects are left out: {', '.join(missing)}")
    return Paths(environment() / "bin" / "python", wrk, nginx, node, missing=frozenset(missing))


def find(program: str, say: Say) -> str:
    """Return a program's path, installed from Debian's packages if root asks; "" if not."""
    if not which(program) and which("apt-get") and os.geteuid() == 0:
        say(f"{program} is missing: apt-get install {program}")
        install = ["apt-get", "install", "--yes", "--no-install-recommends", program]
        succeeds(install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return which(program)


def which(program: str) -> str:
    """Return the path of a program, also of one meant for root; "" if there is none."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") or ""


def environment() -> Path:
    """Return the folder of the virtual environment for the Python that runs this."""
    return CACHE / f"python{sys.version_info.major}.{sys.version_info.minor}"


def prepare_python(say: Say) -> list[str]:
    """Install the packages and this checkout, unless that was done; return what is missing."""
    note = environment() / "prepared.json"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [sys.version, REQUIREMENTS.read_text(), project["dependencies"]]
    prepared = json.loads(note.read_text()) if note.exists() else {}
    if prepared.get("wanted") != wanted:
        say(f"installing Python packages into {environment().relative_to(ROOT)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment()], check=True)
        prepared = {"wanted": wanted, "missing": install_packages(say)}
        note.write_text(json.dumps(prepared))
    return list(prepared["missing"])


def install_packages(say: Say) -> list[str]:
    """Install the requirements, each by itself if not all work; return what has failed."""
    options = ["--quiet", "--disable-pip-version-check", "-c", str(REQUIREMENTS)]
    install = [str(environment() / "bin" / "python"), "-m", "pip", "install", *options]
    missing = []
    if not succeeds([*install, "-r", REQUIREMENTS]):
        say("one of them fails, so they are installed one by one")
        missing = [each for each in requirements() if not succeeds([*install, each])]
    subprocess.run([*install, "-e", ROOT], check=True)
    return [each.partition("==")[0] for each in missing]


def requirements() -> list[str]:
    """Return the lines `name==version`."""
    return re.findall(r"^\w.*", REQUIREMENTS.read_text(), re.MULTILINE)


def prepare_node(say: Say) -> bool:
    """Install the packages for Node, unless that was done; say whether they are there."""
    wanted = (APPS / "package.json").read_text()
    note = NODE / "prepared.json"
    if note.exists() and note.read_text() == wanted:
        return True
    say(f"installing Node packages into {NODE.relative_to(ROOT)}")
    NODE.mkdir(parents=True, exist_ok=True)
    (NODE / "package.json").write_text(wanted)
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    if not (which("npm") and succeeds(install, cwd=NODE)):
        return False
    note.write_text(wanted)
    return True


def succeeds(command: Sequence[str | Path], **options: Any) -> bool:
    """Run a command whose failure is no disaster; say whether it succeeded."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        print(done.stderr.strip()[-2000:], file=sys.stderr)
    return not done.returncode


def installed(paths: Paths) -> dict[str, str]:
    """Return the version of every package and program, by the names that subjects use."""
    versions: dict[str, str] = json.loads(output([paths.python, "-c", LIST_PACKAGES]))
    versions["python"] = sys.version.split()[0]
    versions["wrk"] = number(output([paths.wrk, "--version"]))
    if paths.nginx:
        versions["nginx"] = number(output([paths.nginx, "-v"]))
    if "node" not in paths.missing:
        versions["node"] = number(output([paths.node, "--version"]))
        for name in json.loads((APPS / "package.json").read_text())["dependencies"]:
            package = NODE_MODULES / name / "package.json"
            versions[name] = json.loads(package.read_text())["version"]
    return versions


def number(text: str) -> str:
    """Return the first version number in what a program says of itself."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group() if found else text.strip()


def output(command: Sequence[str | Path]) -> str:
    """Return what a command prints, on either stream."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr
