"""Errors as text, for whoever wrote the middleware."""

from collections.abc import Generator
from typing import Any

import pytest

from ohia import Context, Next, Ohia
from ohia.testing import Client
from ohia.tracebacks import format_error


async def above(ctx: Context, next: Next) -> None:
    await next()


def generator(ctx: Context, next: Next) -> Generator[Any, Any, None]:
    yield next


async def translates(ctx: Context, next: Next) -> None:
    try:
        await next()
    except LookupError as error:
        raise ValueError("no such ferret") from error


async def fails(ctx: Context) -> None:
    raise LookupError("tobi")


async def assigns_a_function(ctx: Context) -> None:
    ctx.body = fails


async def written(*middleware: Any) -> str:
    """Return what is told of the error that leaves the chain."""
    found: list[str] = []
    app = Ohia(env="test")
    app.use(*middleware)
    app.on("error", lambda error, ctx: found.append(format_error(error)))
    async with Client(app, raise_errors=False) as client:
        await client.get("/")
    return found[0]


async def test_only_frames_of_middleware_are_shown() -> None:
    text = await written(above, generator, above, fails)
    frames = [line.rpartition(" in ")[2] for line in text.splitlines() if ", in " in line]
    assert frames == ["above", "generator", "above", "fails"]
    assert text.endswith("LookupError: tobi\n")


async def test_causes_are_thinned_out_too() -> None:
    text = await written(above, translates, above, fails)
    frames = [line.rpartition(" in ")[2] for line in text.splitlines() if ", in " in line]
    assert frames == ["translates", "above", "fails", "above", "translates"]


async def test_the_frame_that_raised_stays() -> None:
    text = await written(above, assigns_a_function)
    assert "response.py" in text.splitlines()[-3] + text.splitlines()[-2]


def test_an_error_that_was_never_raised_has_no_frames() -> None:
    assert format_error(LookupError("tobi")) == "LookupError: tobi\n"


def test_groups_are_thinned_out() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        raise ExceptionGroup("both", [LookupError("tobi"), ValueError("loki")])
    assert "ValueError: loki" in format_error(caught.value)
