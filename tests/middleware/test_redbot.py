"""What answers say to caches and browsers, held against the RFCs by REDbot."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.compress import compress
from ohia.middleware.conditional import conditional
from ohia.middleware.error_pages import error_pages
from ohia.middleware.etag import etag
from ohia.middleware.session import session
from ohia.middleware.static import static

EXAMINE = Path(__file__).with_name("examine.py")
SETTLED = 1_700_000_000  # when the file changed last: its tag is strong in every answer
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"

RESOURCES: dict[str, tuple[str, Mapping[str, str], int]] = {
    "a static file": ("/style.css", {}, 200),
    "JSON": ("/json", {}, 200),
    "compressed JSON": ("/json", {"Accept-Encoding": "gzip"}, 200),
    "a page with an entity tag": ("/page", {}, 200),
    "a range": ("/style.css", {"Range": "bytes=100-199"}, 206),
    "a range that is none": ("/style.css", {"Range": "bytes=999999-"}, 416),
    "a redirect": ("/redirect", {}, 302),
    "a 404": ("/nowhere", {}, 404),
    "a 404 for a browser": ("/nowhere", {"Accept": BROWSER}, 404),
    "a 404 as JSON": ("/nowhere", {"Accept": "application/json"}, 404),
    "a 500": ("/fault", {}, 500),
    "a 500 for a browser": ("/fault", {"Accept": BROWSER}, 500),
    "a 204": ("/empty", {}, 204),
    "a page that sets a cookie": ("/login", {}, 200),
}

# Warnings that are no fault of ours, each with its reason; any other fails, as a bad note does.
TOLERATED = {
    "FRESHNESS_HEURISTIC": "how long a page stays fresh only its application knows",
}

# What REDbot found by requests of its own: with a range, conditions, an encoding.
FOUND = {
    "a static file": {"RANGE_CORRECT", "INM_304", "IMS_304", "CONNEG_GZIP_GOOD", "FRESHNESS_FRESH"},
    "JSON": {"INM_304", "CONNEG_GZIP_GOOD"},
    "compressed JSON": {"INM_304"},
    "a page with an entity tag": {"INM_304", "CONNEG_GZIP_GOOD"},
    "a 404": {"CONTENT_TYPE_OPTIONS"},
    "a 500": {"CONTENT_TYPE_OPTIONS"},
}


async def page(ctx: Context) -> None:
    ctx.body = "<!DOCTYPE html><title>ferrets</title>" + "<p>Ferrets are the best.</p>" * 100


async def data(ctx: Context) -> None:
    ctx.body = {"ferrets": [{"name": f"ferret {number}"} for number in range(200)]}


async def redirect(ctx: Context) -> None:
    ctx.redirect("/page")


async def empty(ctx: Context) -> None:
    ctx.status = 204


async def login(ctx: Context) -> None:
    ctx.session["name"] = "tobi"
    ctx.body = "<!DOCTYPE html><title>hello tobi</title>"


async def fault(ctx: Context) -> None:
    raise LookupError("no ferrets today")


ROUTES = {
    "/page": page,
    "/json": data,
    "/redirect": redirect,
    "/empty": empty,
    "/login": login,
    "/fault": fault,
}


async def routes(ctx: Context) -> None:
    if ctx.path in ROUTES:
        await ROUTES[ctx.path](ctx)


def application(folder: Path) -> Ohia:
    style = folder / "style.css"
    style.write_text("p { color: green }\n" * 500)
    os.utime(style, (SETTLED, SETTLED))
    app = Ohia(env="test", keys=["a secret"])
    app.use(compress(), conditional(), etag(), error_pages(), session())
    app.use(static(folder, max_age=3600), routes)
    return app


async def examine(app: Ohia) -> dict[str, list[dict[str, str]]]:
    """Return what REDbot notes on each of `RESOURCES`."""
    async with app.listen(0) as server:
        asked = [(server.url + path, headers) for path, headers, _ in RESOURCES.values()]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, EXAMINE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0
    return dict(zip(RESOURCES, json.loads(output), strict=True))


def told(notes: Mapping[str, list[dict[str, str]]], level: str) -> list[str]:
    """Return the notes of `level` that nobody tolerates, readable."""
    return [
        f"{resource}: {note['note']}: {note['summary']}"
        for resource, its in notes.items()
        for note in its
        if note["level"] == level and note["note"] not in TOLERATED
    ]


@pytest.mark.timeout(60)
async def test_redbot_finds_nothing_bad(tmp_path: Path) -> None:
    pytest.importorskip("redbot", reason="REDbot is not installed")
    notes: Any = await examine(application(tmp_path))
    statuses = {resource: int(its[0]["summary"]) for resource, its in notes.items()}
    assert statuses == {resource: status for resource, (_, _, status) in RESOURCES.items()}
    assert told(notes, "bad") == []
    assert told(notes, "warning") == []
    for resource, found in FOUND.items():
        assert found <= {note["note"] for note in notes[resource] if note["level"] == "good"}
