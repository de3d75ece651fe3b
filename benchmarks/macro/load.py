"""The load: wrk over HTTP, `socket_load.py` over WebSocket, each for a number of seconds."""

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from process import HOST
from workloads import Workload

TIMEOUT = 10  # seconds an answer may take before it is counted as an error
SPARE = 60  # seconds beyond the run until the load itself is given up
DONE = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"micros":%d,"bytes":%d,"p50":%d,"p99":%d,"connect":%d,"read":%d,' ..
    '"write":%d,"timeout":%d,"status":%d}\\n', summary.requests, summary.duration,
    summary.bytes, latency:percentile(50), latency:percentile(99), errors.connect, errors.read,
    errors.write, errors.timeout, errors.status))
end
"""
ERRORS = {
    "connect": "connections refused",
    "read": "failed reads",
    "write": "failed writes",
    "timeout": f"answers later than {TIMEOUT} s",
    "status": "answers with an error status",
}


class LoadError(Exception):
    """The load did not run, or what it counted is no measurement; the text says why."""


@dataclass(frozen=True)
class Load:
    """What the load counted: answers, seconds, and latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Tools:
    """The programs that make the load, and a folder for what they read."""

    wrk: str
    python: str
    folder: Path


def run(tools: Tools, workload: Workload, port: int, seconds: int) -> Load:
    """Ask by `workload` for so long; raise LoadError when an answer is missing or wrong."""
    counted = count(tools, workload, port, seconds)
    refuse_errors(workload, counted)
    micros = counted["micros"]
    return Load(counted["requests"], micros / 1e6, counted["p50"] / 1000, counted["p99"] / 1000)


def count(tools: Tools, workload: Workload, port: int, seconds: int) -> dict[str, int]:
    """Ask by `workload` for so long; return what was counted, failures too."""
    seconds *= workload.stretch
    command = socket_command if workload.message else http_command
    return output_of(command(tools, workload, port, seconds), seconds)


def refuse_errors(workload: Workload, counted: dict[str, int]) -> None:
    """Raise LoadError for failures, and for answers shorter than the right one."""
    failures = [f"{counted[kind]} {words}" for kind, words in ERRORS.items() if counted[kind]]
    if failures:
        raise LoadError(", ".join(failures))
    if not counted["requests"]:
        raise LoadError("not one answer")
    if counted["bytes"] < counted["requests"] * (workload.message or len(workload.answer)):
        raise LoadError("answers are shorter than they should be")


def http_command(tools: Tools, workload: Workload, port: int, seconds: int) -> list[str]:
    """Return the command of wrk: one thread, each connection asks anew when the answer came."""
    (tools.folder / "body").write_bytes(workload.body)
    script = tools.folder / "script.lua"
    script.write_text(script_of(workload, tools.folder / "body"))
    sizes = ["-t1", f"-c{workload.connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT}s"]
    return [tools.wrk, *sizes, "-s", str(script), f"http://{HOST}:{port}{workload.path}"]


def script_of(workload: Workload, body: Path) -> str:
    """Return the Lua that tells wrk what to ask and how to report."""
    lines = [f"wrk.method = {json.dumps(workload.method)}"]
    lines += [f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in workload.fields]
    if workload.body:
        lines.append(f"wrk.body = io.open({json.dumps(str(body))}, 'rb'):read('*a')")
    return "\n".join(lines) + DONE


def socket_command(tools: Tools, workload: Workload, port: int, seconds: int) -> list[str]:
    """Return the command of the WebSocket load."""
    sizes = [workload.connections, workload.message, seconds]
    client = Path(__file__).parent / "socket_load.py"
    return [tools.python, str(client), str(port), *map(str, sizes)]


def check_socket(tools: Tools, workload: Workload, port: int) -> None:
    """Raise LoadError unless a text and a binary message come back as they were sent."""
    output_of(socket_command(tools, workload, port, 0), 0)


def output_of(command: list[str], seconds: int) -> dict[str, int]:
    """Run a load and return the JSON object on its last line."""
    limit = seconds + SPARE
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        raise LoadError(f"the load failed: {(done.stderr or done.stdout).strip()[-500:]}")
    counted: dict[str, int] = json.loads(last)
    return counted


def ask_often(port: int, requests: int, connections: int) -> None:
    """Send so many plain requests, one after the other on each connection."""
    clients = [http.client.HTTPConnection(HOST, port, timeout=30) for _ in range(connections)]
    for _ in range(requests // connections):
        for client in clients:
            client.request("GET", "/")
        for client in clients:
            client.getresponse().read()
    for client in clients:
        client.close()
