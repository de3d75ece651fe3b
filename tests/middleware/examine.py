"""Run by test_redbot.py: let REDbot examine resources, and print what it notes, as JSON.

Reads a list of [url, request headers] from stdin. REDbot has an event loop of its own, so it has
a process of its own too.
"""

import json
import sys
from configparser import ConfigParser
from typing import Any

import thor
from redbot.resource import HttpResource  # type: ignore[import-untyped]

PATIENCE = 15  # seconds


def examine(requests: list[Any]) -> list[list[dict[str, str]]]:
    """Return the notes on each resource, those of its further requests included."""
    config = ConfigParser()
    config.read_dict({"redbot": {"enable_local_access": "True"}})
    resources = [_resource(config["redbot"], url, headers) for url, headers in requests]
    waiting = len(resources)

    def done() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            thor.stop()

    for each in resources:
        each.on("check_done", done)
    for each in resources:
        each.check()
    if waiting:
        thor.schedule(PATIENCE, thor.stop)
        thor.run()
    return [_notes(each) for each in resources]


def _resource(config: Any, url: str, headers: dict[str, str]) -> Any:
    resource = HttpResource(config)
    resource.set_request(url, headers=list(headers.items()))
    return resource


def _notes(resource: Any) -> list[dict[str, str]]:
    notes = [
        {"level": note.level.value, "note": type(note).__name__, "summary": str(note.summary)}
        for linter in (resource, *resource.subreqs.values())
        for note in linter.response.notes
    ]
    if resource.fetch_error is not None or not resource.check_done:
        notes.append({"level": "bad", "note": "FETCH", "summary": repr(resource.fetch_error)})
    status = str(resource.response.status_code)
    return [{"level": "status", "note": "STATUS", "summary": status}, *notes]


json.dump(examine(json.load(sys.stdin)), sys.stdout)
