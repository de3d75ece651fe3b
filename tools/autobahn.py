"""The Autobahn|Testsuite against ohia's own server: `python tools/autobahn.py [--loop uvloop]`.

The suite is a program for Python 2.7, found as `python2.7` or by `--python`; it is installed
into .cache/autobahn/ on the first run, where its `log` and its reports are too. Cases may be
named: `'1.*' 7.1.1`. Printed are every case that is not OK and the counts of outcomes; the exit
status is 1 if a case failed.
"""

# ruff: noqa: INP001, S603, T201 - a script on its own that starts what it has installed

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ohia import Context, Ohia

CACHE = Path(__file__).parent.parent / ".cache" / "autobahn"
SUITE = ["autobahntestsuite==25.10.1", "autobahn==0.10.9", "txaio==2.1.0", "Twisted==19.10.0"]
# The last releases that ran on Python 2.7, of what the suite imports.
MORE = ["pyOpenSSL==19.1.0", "cryptography==3.3.2", "jinja2==2.11.3", "unittest2==1.1.0"]
MORE += ["setuptools==44.0.0", "zope.interface==4.6.0", "incremental==16.10.1", "six==1.16.0"]
MORE += ["wsaccel==0.6.2"]  # masks in C: without it the large cases take an hour
LARGEST = 32 * 1024 * 1024  # bytes; group 9 sends messages of 16 MiB
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
Result = dict[str, str]


def install(python: str) -> Path:
    """Install the suite for `python`, once; return its program."""
    program = CACHE / "bin" / "wstest"
    if not program.exists():
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--user", "--quiet"]
        subprocess.run([*pip, "--no-warn-script-location", *MORE, *SUITE], env=place(), check=True)
    return program


def place() -> dict[str, str]:
    """Return the environment in which the suite is installed and runs."""
    return {**os.environ, "PYTHONUSERBASE": str(CACHE), "PYTHONWARNINGS": "ignore"}


def make_app() -> Ohia:
    """Return the application that is tested: it sends back what comes."""
    app: Ohia = Ohia(env="test")

    @app.use
    async def echo(ctx: Context) -> None:
        socket = await ctx.upgrade(max_message_size=LARGEST)
        async for message in socket:
            await socket.send(message)

    return app


async def run_suite(python: str, program: Path, cases: list[str]) -> dict[str, Result]:
    """Serve the application, run the suite's client against it, return its results by case."""
    reports = CACHE / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    async with make_app().listen(0) as server:
        address = f"ws://127.0.0.1:{server.port}"
        spec = {
            "outdir": str(reports),
            "servers": [{"agent": "ohia", "url": address}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (CACHE / "spec.json").write_text(json.dumps(spec))
        command = [str(program), "-m", "fuzzingclient", "-s", str(CACHE / "spec.json")]
        with (CACHE / "log").open("wb") as log:
            suite = await asyncio.create_subprocess_exec(python, *command, env=place(), stdout=log)
            await suite.wait()
    results: dict[str, Result] = json.loads((reports / "index.json").read_text())["ohia"]
    return results


def tell(results: dict[str, Result]) -> bool:
    """Print the counts and what is not OK; return whether no case failed."""
    outcomes = {
        case: (result["behavior"], result["behaviorClose"]) for case, result in results.items()
    }
    for case, outcome in sorted(outcomes.items(), key=lambda each: numbers(each[0])):
        if outcome != ("OK", "OK"):
            print(case, *outcome)
    for (behaviour, close), count in Counter(outcomes.values()).most_common():
        print(f"{count:4} {behaviour}, close {close}")
    return all(set(outcome) <= FINE for outcome in outcomes.values())


def numbers(case: str) -> list[int]:
    """Return the number of a case as what sorts.

    >>> numbers("7.13.1")
    [7, 13, 1]
    """
    return [int(each) for each in case.split(".")]


def main() -> int:
    """Run the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["*"])
    parser.add_argument("--python", default=shutil.which("python2.7"))
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    if options.python is None:
        parser.error("the suite needs Python 2.7: name its interpreter by --python")
    factory = asyncio.new_event_loop
    if options.loop == "uvloop":
        import uvloop  # noqa: PLC0415 - only where it is asked for

        factory = uvloop.new_event_loop
    program = install(options.python)
    with asyncio.Runner(loop_factory=factory) as runner:
        results = runner.run(run_suite(options.python, program, options.cases))
    return 0 if tell(results) else 1


if __name__ == "__main__":
    sys.exit(main())
