"""error_pages: errors, and answers that nobody gave, in a form that the client can read.

What a client may know of an error is decided by the core; here it only gets its form.
"""

import html
import inspect
import os
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Literal

from ohia import Context, Middleware, Next
from ohia.http.forwarded import normalize_address

__all__ = ["Problem", "error_pages"]

Kind = Literal["html", "json", "text"]

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
PROBLEM = "application/problem+json"  # RFC 9457

OFFERS: Mapping[str, Kind] = {
    "text/html": "html",
    PROBLEM: "json",
    "application/json": "json",
    "text/plain": "text",
}
LOOPBACK = frozenset({"127.0.0.1", "::1"})
LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)
FORWARDING = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>$status $title</title>
</head>
<body>
<h1>$status $title</h1>
$more</body>
</html>
""")


@dataclass(frozen=True, slots=True)
class Problem:
    """What there is to tell: `detail` and `traceback` are "" where the client may not know.

    `error` is for pages that know their errors; None for an answer that nobody gave.
    """

    status: int
    title: str
    detail: str = ""
    traceback: str = ""
    error: BaseException | None = None


Writer = Callable[[Problem, Context], object]
"""Makes a body; plain or async."""

Page = str | os.PathLike[str] | Writer
"""The text of a template, a file with one, or a function that returns HTML, None for ours."""


def error_pages(
    *,
    pages: Mapping[int | str, Page] | None = None,
    json: Writer | None = None,
    default: Kind = "text",
    debug: bool = False,
) -> Middleware:
    """Answer errors, and a status of 400 or above without a body, as the client accepts.

    HTML, JSON as RFC 9457 describes it, or text; `default` is for clients that take anything
    or none of them. `pages` has the HTML by status: 404, `"4xx"`, `"5xx"`. A template knows
    `$status`, `$title` and `$detail`. `json` returns another JSON body. `debug` adds the
    traceback for clients on this very machine while `app.env` is "development".

    Nothing is caught: the error passes all of upstream, and is emitted as ever. ValueError for
    options that cannot be meant.
    """
    _check(pages or {}, default)
    offers = sorted(OFFERS, key=lambda offer: OFFERS[offer] != default)
    writers: dict[Kind, tuple[str, Writer]] = {
        "html": (HTML, _html_writer(pages or {})),
        "json": (PROBLEM, json or problem_json),
        "text": (TEXT, _text),
    }

    async def write(problem: Problem, ctx: Context) -> None:
        _keep_status(ctx)
        kind = OFFERS.get(ctx.accepts(*offers) or "", default)
        media_type, writer = writers[kind]
        ctx.vary("Accept")
        ctx.set("X-Content-Type-Options", "nosniff")
        ctx.set("Content-Type", media_type)
        ctx.body = await _settled(writer(problem, ctx))

    async def error_page(error: BaseException, ctx: Context) -> None:
        title = ctx.message or str(ctx.status)
        detail = "" if ctx.body == title else str(ctx.body)
        trace = _traceback(error) if debug and _may_debug(ctx) else ""
        await write(Problem(ctx.status, title, detail, trace, error), ctx)

    async def error_pages(ctx: Context, next: Next) -> None:
        ctx.error_page = error_page
        await next()
        if ctx.status >= 400 and ctx.body is None and not ctx.header_sent:
            await write(Problem(ctx.status, ctx.message or str(ctx.status)), ctx)

    return error_pages


def _check(pages: Mapping[int | str, Page], default: str) -> None:
    """Raise ValueError for a form that there is not, and for pages that nobody would ever see."""
    if default not in OFFERS.values():
        raise ValueError(f'default is "html", "json" or "text", got {default!r}')
    for key in pages:
        if key not in {"4xx", "5xx", *range(400, 600)}:
            raise ValueError(f'pages has a status of 400 to 599, "4xx" or "5xx", got {key!r}')


def problem_json(problem: Problem, _: Context) -> dict[str, Any]:
    """Return the members of RFC 9457, 3.1, and those of the error's own `problem` mapping."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
    }
    if problem.detail:
        members["detail"] = problem.detail
    if problem.traceback:
        members["traceback"] = problem.traceback.splitlines()
    if getattr(problem.error, "expose", None) is True:
        members.update(getattr(problem.error, "problem", {}))
    return members


def _keep_status(ctx: Context) -> None:
    """Make the status that stands one that was set, so that a body leaves it alone."""
    message = ctx.message
    ctx.status = ctx.status
    ctx.message = message


def _text(problem: Problem, _: Context) -> str:
    told = problem.detail or problem.title
    return f"{told}\n\n{problem.traceback}" if problem.traceback else told


def _html(problem: Problem, ctx: Context) -> str:
    if not ctx.response.has("Content-Security-Policy"):
        ctx.set("Content-Security-Policy", "default-src 'none'")
    more = f"<p>{html.escape(problem.detail)}</p>\n" if problem.detail else ""
    if problem.traceback:
        more += f"<pre>{html.escape(problem.traceback)}</pre>\n"
    return PAGE.substitute(status=problem.status, title=html.escape(problem.title), more=more)


def _html_writer(pages: Mapping[int | str, Page]) -> Writer:
    own = {key: _page_writer(page) for key, page in pages.items()}

    async def write(problem: Problem, ctx: Context) -> object:
        writer = own.get(problem.status) or own.get(f"{problem.status // 100}xx")
        page = writer and await _settled(writer(problem, ctx))
        return _html(problem, ctx) if page is None else page

    return write


def _page_writer(page: Page) -> Writer:
    if callable(page):
        return page
    text = page if isinstance(page, str) else Path(page).read_text("utf-8")
    template = Template(text)

    def fill(problem: Problem, _: Context) -> str:
        title, detail = html.escape(problem.title), html.escape(problem.detail)
        return template.safe_substitute(status=problem.status, title=title, detail=detail)

    return fill


async def _settled(result: Any) -> Any:  # noqa: ANN401 - whatever a page function gives
    return await result if inspect.isawaitable(result) else result


def _traceback(error: BaseException) -> str:
    if getattr(error, "expose", None) is True:
        return ""
    return "".join(traceback.format_exception(error))


def _may_debug(ctx: Context) -> bool:
    """Say whether the client is a developer at this machine.

    Host keeps out pages that had their name point here (CVE-2024-34069), the peer's address
    whoever else names it so, the headers what came through a proxy.
    """
    client = ctx.req.client
    return (
        ctx.app.env == "development"
        and LOOPBACK_HOST.fullmatch(ctx.get("Host")) is not None
        and client is not None
        and normalize_address(client[0]) in LOOPBACK
        and not any(name in ctx.headers for name in FORWARDING)
    )
