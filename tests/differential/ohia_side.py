"""The ohia side: the twin of `driver.js`, the same requests answered by ohia.

Names and units are Koa's in the cases and translated here: `lastModified` is `last_modified`,
`undefined` as a body is `del ctx.body`, milliseconds become seconds.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any

from ohia import Keygrip, Ohia
from ohia.adapters.memory.exchange import MemoryExchange, ResponseCut
from ohia.http.headers import Headers
from ohia.http.status import EMPTY

__all__ = ["Exchange", "answer", "decode", "encode", "make_app", "prepare", "run_context"]

MANY = 1_000_000  # pieces of a body: nobody takes them before the response has ended
PATIENCE = 5  # seconds without an answer before a case counts as hanging

UPPER = re.compile(r"(?<=[a-z])(?=[A-Z])")
KEYWORDS = {"is": "is_", "assert": "assert_", "header": "headers"}

# Calls whose last argument, an object, is a set of options.
OPTIONS = {"attachment", "cookies.get", "cookies.set", "throw", "assert"}


# ---- values ---------------------------------------------------------------------------------


class Foreign(Exception):
    """An exception of the application's own, with whatever attributes."""


def decode(value: Any) -> Any:
    """Return what a case says with `$`, as Python has it."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$" in value:
        return DECODERS[value["$"]](value)
    return {name: decode(each) for name, each in value.items()}


def _foreign(value: dict[str, Any]) -> Foreign:
    error = Foreign(value["message"])
    for name, each in value.get("props", {}).items():
        setattr(error, name, each)
    return error


async def _streamed(chunks: list[str], fails: str | None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield bytes.fromhex(chunk)
    if fails:
        raise Foreign(fails)


DECODERS: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda value: bytes.fromhex(value["hex"]),
    "date": lambda value: datetime.fromtimestamp(value["ms"] / 1000, UTC),
    "error": _foreign,
    "stream": lambda value: _streamed(value["chunks"], value.get("fails")),
    "undefined": lambda value: None,
}


def encode(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    """Return `value` as `driver.js` writes its twin."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$": "bytes", "hex": bytes(value).hex()}
    if isinstance(value, datetime):
        return {"$": "date", "ms": round(value.timestamp() * 1000)}
    if isinstance(value, BaseException):
        return _encode_error(value)
    if hasattr(value, "pathname"):
        if value.href is None:
            return {}  # Koa gives an empty object for what is no URL
        names = ("href", "protocol", "host", "hostname", "port", "pathname", "search", "hash")
        return {name: getattr(value, name) for name in names}
    if hasattr(value, "get_all"):
        return {name: _one_or_all(value.get_all(name)) for name in value}
    if isinstance(value, Mapping):
        return {name: encode(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    if hasattr(value, "__aiter__") or hasattr(value, "__next__"):
        return {"$": "stream"}
    return {"$": "other", "type": type(value).__name__}


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _encode_error(error: BaseException) -> dict[str, Any]:
    known = {"status", "message", "expose", "headers", "header_sent"}
    return {
        "$": "error",
        "name": type(error).__name__,
        "message": getattr(error, "message", str(error)),
        "status": getattr(error, "status", None),
        "expose": getattr(error, "expose", None),
        "headers": dict(getattr(error, "headers", None) or {}) or None,
        "props": {name: each for name, each in vars(error).items() if name not in known},
    }


# ---- one exchange, in memory ----------------------------------------------------------------


class Exchange(MemoryExchange):
    """An exchange made from a case; it frames a body as any server does."""

    def __init__(self, request: Mapping[str, Any], socket: Mapping[str, Any]) -> None:
        fields = [
            (name.encode("latin-1"), value.strip(" \t").encode("latin-1"))
            for name, value in request["headers"]
        ]
        super().__init__(
            request["method"],
            request["target"],
            Headers.from_raw(fields),
            _streamed([request["body"]], None) if request.get("body") else None,
            secure=socket.get("encrypted", False),
            http_version=request["version"],
            client=(socket.get("remoteAddress", "127.0.0.1"), 50000),
            max_pieces=MANY,
        )

    def send_response(self, status: int, reason: str | None, headers: Headers, body: bytes) -> None:
        super().send_response(status, reason, headers, body)
        empty = self.method == "HEAD" or status in EMPTY or status < 200
        if not empty and "content-length" not in headers and self._head is not None:
            self._head.headers["Content-Length"] = len(body)


async def answer(app: Ohia, exchange: Exchange) -> dict[str, Any]:
    """Return what `app` sends, in the shape that `driver.js` gives it."""
    await asyncio.wait_for(exchange.serve(app), PATIENCE)
    assert exchange.violation is None, exchange.violation
    body = b""
    whole = False
    with suppress(ResponseCut):
        head = await exchange.wait_head()
        while piece := await exchange.next_piece():
            body += piece
        whole = True
    return {
        "status": head.status,
        "reason": head.reason,
        "headers": [[name.lower(), value] for name, value in head.headers.lines()],
        "body": body.hex(),
        "whole": whole,
        "hangs": False,
    }


# ---- ctx: steps on one context --------------------------------------------------------------


def python_name(name: str) -> str:
    """Return how ohia spells Koa's `name`.

    >>> python_name("lastModified"), python_name("request.is"), python_name("URL")
    ('last_modified', 'request.is_', 'URL')
    """
    parts = [UPPER.sub("_", part) for part in name.split(".")]
    return ".".join(KEYWORDS.get(part, part.lower() if "_" in part else part) for part in parts)


def _resolve(ctx: Any, name: str) -> tuple[Any, str]:
    *parts, last = python_name(name).split(".")
    for part in parts:
        ctx = getattr(ctx, part)
    return ctx, last


def _get(ctx: Any, name: str) -> Any:
    owner, last = _resolve(ctx, name)
    return getattr(owner, last)


def _set(ctx: Any, name: str, value: Any) -> None:
    owner, last = _resolve(ctx, name)
    if value == {"$": "undefined"}:
        delattr(owner, last)
    else:
        setattr(owner, last, decode(value))


def _call(ctx: Any, name: str, *args: Any) -> Any:
    values = [decode(each) for each in args]
    takes_options = name in OPTIONS or name.startswith("assert")
    if takes_options and values and isinstance(values[-1], dict):
        return _get(ctx, name)(*values[:-1], **_options(name, values[-1]))
    return _get(ctx, name)(*values)


def _options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    if not name.startswith("cookies."):
        return options
    translated = {python_name(key): value for key, value in options.items()}
    if isinstance(translated.get("max_age"), int):
        translated["max_age"] /= 1000
    return translated


def _raise(ctx: Any, value: Any) -> None:
    raise decode(value)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "get": _get,
    "set": _set,
    "call": _call,
    "raise": _raise,
}


async def _step(ctx: Any, step: list[Any]) -> tuple[dict[str, Any], Exception | None]:
    operation, *rest = step
    try:
        value = OPERATIONS[operation](ctx, *rest)
        if isawaitable(value):
            value = await value
    except Exception as error:  # noqa: BLE001 - whatever a step raises is its result
        return {"thrown": encode(error)}, error
    is_result = operation in ("get", "call") and value is not ctx and value is not ctx.cookies
    return {"ok": encode(value) if is_result else None}, None


def _snapshot(ctx: Any, names: list[str]) -> dict[str, Any]:
    taken = {}
    for name in names:
        try:
            taken[name] = encode(_get(ctx, name))
        except Exception as error:  # noqa: BLE001 - a getter that raises is a finding, not the end
            taken[name] = {"thrown": encode(error)}
    return taken


def make_app(settings: Mapping[str, Any]) -> Ohia:
    """Return an application with Koa's `settings`, compact JSON as Koa writes it."""
    app = Ohia(json_spaces=0)
    for name, value in settings.items():
        if name == "keygrip":
            app.keys = Keygrip(*value)
        else:
            setattr(app, python_name(name), value)
    return app


@dataclass(slots=True)
class Prepared:
    """An application that takes the steps of a case, and what came of them so far."""

    app: Ohia
    results: list[Any] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)


def prepare(case: Mapping[str, Any]) -> Prepared:
    """Return the application for a case of the area `ctx`."""
    prepared = Prepared(make_app(case.get("app", {})))
    prepared.app.on("error", lambda error: prepared.errors.append(encode(error)))

    async def middleware(ctx: Any) -> None:
        for index, each in enumerate(case["steps"]):
            result, error = await _step(ctx, each)
            prepared.results.append({**result, "after": _snapshot(ctx, case.get("after", []))})
            if error is not None and index in case.get("leave", []):
                raise error

    prepared.app.use(middleware)
    return prepared


async def run_context(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `driver.js` returns for the area `ctx`."""
    prepared = prepare(case)
    exchange = Exchange(case["request"], case.get("socket", {}))
    answered = await answer(prepared.app, exchange)
    return {"results": prepared.results, "errors": prepared.errors, "answer": answered}
