"""The npm side: installs the packages, keeps one node process, asks it questions."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["Driver", "Unavailable", "install", "pinned"]

HERE = Path(__file__).parent
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
INSTALL_TIMEOUT = 180  # seconds; a cold cache on a slow network


class Unavailable(Exception):
    """The npm packages cannot be had here; the message says why."""


def install() -> None:
    """Install what `package.json` names, unless it is there; raise Unavailable if that fails."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed")
    if _is_installed():
        return
    try:
        done = subprocess.run(  # noqa: S603 - the fixed words above
            INSTALL, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm install took more than {INSTALL_TIMEOUT} s") from None
    if done.returncode != 0 or not _is_installed():
        raise Unavailable(f"npm install failed: {done.stderr.strip()[-300:]}")


def pinned() -> dict[str, str]:
    """Return the version of each package that `package.json` names."""
    wanted: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]
    return {name: version.rpartition("@")[2] for name, version in wanted.items()}


def _is_installed() -> bool:
    return all(_version(name) == version for name, version in pinned().items())


def _version(name: str) -> str | None:
    try:
        text = (HERE / "node_modules" / name / "package.json").read_text()
    except FileNotFoundError:
        return None
    version: str = json.loads(text)["version"]
    return version


class Driver:
    """One node process that answers one request at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "driver.js"],  # noqa: S607 - as found on the path
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, area: str, **request: Any) -> Any:
        """Return what `driver.js` answers to `request`, whose shape the area decides."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the driver runs without pipes")
        stdin.write(json.dumps({"area": area, **request}).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the driver has ended; its error is on stderr")
        answer = json.loads(line)
        if "fault" in answer:
            raise RuntimeError(f"the driver failed on {request}: {answer['fault']}")
        return answer

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(timeout=10)
