"""Lines by a template with tokens, as morgan has them: `:method :url :status`."""

import re
import time
from collections.abc import Callable, Mapping
from os import getpid

from ohia import Context
from ohia.http.date import MONTHS, format_date
from ohia.middleware.logger.entry import Entry, escape
from ohia.plain import plain

__all__ = ["FORMATS", "Token", "token_format"]

Token = Callable[[Context], object]
"""Gives the value of a token of one's own; None is shown as `-`."""

CLF = '[:date[clf]] ":method :url HTTP/:http-version" :status :bytes'
FORMATS = {
    "combined": f':remote-addr - :remote-user {CLF} ":referrer" ":user-agent"',
    "common": f":remote-addr - :remote-user {CLF}",
    "short": ":remote-addr :remote-user :method :url HTTP/:http-version :status :bytes"
    " - :response-time ms",
    "tiny": ":method :url :status :bytes - :response-time ms",
}

TOKEN = re.compile(r":([-\w]{2,})(?:\[([^\]]+)\])?")

# Whose values let others in.
SECRET = frozenset(
    {"authorization", "cookie", "proxy-authorization", "set-cookie"}
    | {"x-api-key", "x-auth-token", "x-csrf-token", "x-xsrf-token"}
)

Render = Callable[[Entry, str], object]
"""Takes what stands in brackets behind the token too, or ""."""


def token_format(template: str, tokens: Mapping[str, Token]) -> Callable[[Entry], str]:
    """Return what writes a line for an entry by `template`.

    `tokens` are more tokens than there are, or others instead. ValueError for one that nobody
    knows.
    """
    parts: list[str | tuple[Render, str]] = []
    end = 0
    for match in TOKEN.finditer(template):
        parts.append(template[end : match.start()])
        parts.append((_render(match[1], tokens), match[2] or ""))
        end = match.end()
    parts.append(template[end:])

    def line(entry: Entry) -> str:
        return "".join(
            part if isinstance(part, str) else _shown(part[0](entry, part[1])) for part in parts
        )

    return line


def _render(name: str, tokens: Mapping[str, Token]) -> Render:
    if name in tokens:
        own = plain(f"the token :{name}", tokens[name])
        return lambda entry, _: own(entry.ctx)
    if name not in TOKENS:
        raise ValueError(f"no token :{name}; there are :{', :'.join(sorted({*TOKENS, *tokens}))}")
    return TOKENS[name]


def _shown(value: object) -> str:
    return "-" if value is None or value == "" else escape(str(value))


def _milliseconds(entry: Entry, digits: str) -> str:
    return f"{entry.seconds * 1000:.{int(digits or 3)}f}"


def _date(_: Entry, form: str) -> str:
    now = time.time()
    utc = time.gmtime(now)
    if form == "clf":
        return time.strftime(f"%d/{MONTHS[utc.tm_mon - 1]}/%Y:%H:%M:%S +0000", utc)
    if form == "iso":
        return time.strftime(f"%Y-%m-%dT%H:%M:%S.{int(now % 1 * 1000):03d}Z", utc)
    return format_date(now)


def _request_field(entry: Entry, name: str) -> str:
    return _blotted(name, entry.ctx.get(name))


def _response_field(entry: Entry, name: str) -> str:
    return _blotted(name, entry.ctx.response.get(name))


def _blotted(name: str, value: str) -> str:
    return "***" if value and name.lower() in SECRET else value


def _error(entry: Entry, _: str) -> str | None:
    return None if entry.error is None else type(entry.error).__name__


TOKENS: dict[str, Render] = {
    "bytes": lambda entry, _: entry.size or None,
    "date": _date,
    "error": _error,
    "event": lambda entry, _: entry.event,
    "http-version": lambda entry, _: entry.ctx.req.http_version,
    "method": lambda entry, _: entry.ctx.method,
    "outcome": lambda entry, _: entry.outcome,
    "pid": lambda _, __: getpid(),
    "referrer": lambda entry, _: entry.ctx.get("Referer"),
    "remote-addr": lambda entry, _: entry.ctx.ip,
    "remote-user": lambda _, __: None,
    "req": _request_field,
    "request-id": lambda entry, _: entry.ctx.request_id,
    "res": _response_field,
    "response-time": _milliseconds,
    "route": lambda entry, _: getattr(entry.ctx, "route", None),
    "status": lambda entry, _: entry.status,
    "total-time": _milliseconds,
    "url": lambda entry, _: entry.ctx.original_url,
    "user-agent": lambda entry, _: entry.ctx.get("User-Agent"),
}
