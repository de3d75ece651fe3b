"""logger: a line per request at its end, on a terminal one at its beginning too."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter

from ohia import Context, Middleware, Next
from ohia.console import console
from ohia.middleware.logger.dev import dev_format
from ohia.middleware.logger.entry import Entry, Event
from ohia.middleware.logger.json_lines import json_format
from ohia.middleware.logger.tokens import FORMATS, Token, token_format
from ohia.plain import plain

__all__ = ["logger"]

Format = Callable[[Entry], str | None]


def logger(
    format: str | Format = "dev",
    *,
    write: Callable[[str], object] | None = None,
    skip: Callable[[Context], object] | None = None,
    tokens: Mapping[str, Token] | None = None,
    colors: bool | None = None,
) -> Middleware:
    """Write a line for each request after its last byte, and for a socket at its two ends.

    `format`: "dev" (a line at the beginning too), "combined", "common", "short", "tiny", "json", a
    template of tokens (`:method :url :status`), or a function of an `Entry` that returns a line,
    or None for none. `tokens` are more tokens, functions of ctx. No line is written where `skip`
    says so. `write` takes the line, without its end; without it, it goes to stderr, which never
    waits. `colors` None means: on a terminal, unless NO_COLOR is set.
    """
    is_coloured = colors if colors is not None else write is None and _has_colours()
    render = _renderer(format, tokens or {}, is_coloured=is_coloured)
    is_skipped = None if skip is None else plain("skip", skip)
    emit = _emitter(render, plain("write", write or _write_to_stderr, futures=True), is_skipped)

    def note_upgrade(start: float, ctx: Context) -> None:
        if ctx.status == 101:
            emit(Entry("upgrade", ctx, perf_counter() - start))

    def note_end(start: float, error: BaseException | None, ctx: Context) -> None:
        event: Event = "response" if ctx.websocket is None else "socket"
        emit(Entry(event, ctx, perf_counter() - start, error))

    async def logger(ctx: Context, next: Next) -> None:
        start = perf_counter()
        if format == "dev":
            emit(Entry("request", ctx))
        ctx.on_detach(partial(note_upgrade, start))
        ctx.on_finished(partial(note_end, start))
        await next()

    return logger


def _emitter(
    render: Format, write: Callable[[str], object], skip: Callable[[Context], object] | None
) -> Callable[[Entry], None]:
    def emit(entry: Entry) -> None:
        ctx = entry.ctx
        try:
            line = None if skip is not None and skip(ctx) else render(entry)
            if line is not None:
                write(line)
        except Exception as error:  # noqa: BLE001 - a log stops no request
            ctx.app.report(error, ctx)

    return emit


def _renderer(format: str | Format, tokens: Mapping[str, Token], *, is_coloured: bool) -> Format:
    if not isinstance(format, str):
        return plain("format", format)
    if format == "dev":
        return dev_format(colors=is_coloured)
    if format == "json":
        return json_format
    if format not in FORMATS and ":" not in format:
        names = ", ".join(["dev", "json", *FORMATS])
        raise ValueError(f"no format {format!r}: use {names}, or a template such as ':method :url'")
    return token_format(FORMATS.get(format, format), tokens)


def _has_colours() -> bool:
    """Say whether stderr is a terminal, and its user wants colours (no-color.org)."""
    return bool(sys.stderr and sys.stderr.isatty()) and not os.environ.get("NO_COLOR")


def _write_to_stderr(line: str) -> None:
    console.write(f"{line}\n")
