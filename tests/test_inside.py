import asyncio
import contextlib
import io
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import Ohia
from ohia.testing import Client


def pair(**settings: Any) -> tuple[Ohia, Ohia]:
    """Return an application, and another that runs inside it."""
    outer, inner = Ohia(env="test", name="outer"), Ohia(env="test", name="inner", **settings)
    outer.use(inner.as_middleware())
    return outer, inner


async def test_listeners_of_the_inner_application_hear_its_errors_and_the_outer_ones_do_not() -> (
    None
):
    outer, inner = pair()
    heard: list[tuple[str, str]] = []
    outer.on("error", lambda error, ctx: heard.append(("outer", ctx.app.name)))
    inner.on("error", lambda error, ctx: heard.append(("inner", ctx.app.name)))

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == [("inner", "inner")]


async def test_without_listeners_the_outer_application_hears() -> None:
    outer, inner = pair()
    heard: list[str] = []
    outer.on("error", lambda error, ctx: heard.append(ctx.app.name))

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    async with Client(outer, raise_errors=False) as client:
        await client.get("/")
    assert heard == ["outer"]


async def test_an_error_passes_the_frames_of_the_outer_application() -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test")
    inner.on("error", lambda error: None)

    @outer.use
    async def upstream(ctx: Any, next: Any) -> None:
        with contextlib.suppress(OSError):
            await next()
        ctx.body = f"caught by {'outer' if ctx.app is outer else 'inner'}"

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    outer.use(inner.as_middleware())
    async with Client(outer) as client:
        assert (await client.get("/")).text == "caught by outer"


async def test_what_is_left_undone_goes_on_outside() -> None:
    outer, inner = pair()
    seen: list[str] = []

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        seen.append(ctx.app.name)
        await next()
        seen.append(ctx.app.name)

    @outer.use
    async def behind(ctx: Any) -> None:
        seen.append(ctx.app.name)
        ctx.body = "done"

    async with Client(outer) as client:
        assert (await client.get("/")).text == "done"
    assert seen == ["inner", "outer", "inner"]


async def test_hooks_run_as_where_they_were_registered() -> None:
    outer, inner = Ohia(env="test", keys=["outer"]), Ohia(env="test", keys=["inner"])
    seen: list[Any] = []

    def hook(label: str) -> Any:
        async def hook(*arguments: Any) -> None:
            ctx = arguments[-1]
            seen.append((label, ctx.app is outer))
            if label.endswith("send"):
                ctx.cookies.set(label[:5], "x", path="/")

        return hook

    @outer.use
    async def outside(ctx: Any, next: Any) -> None:
        ctx.before_send(hook("outer send"))
        ctx.on_detach(hook("outer detach"))
        ctx.on_finished(hook("outer finished"))
        await next()

    @inner.use
    async def inside(ctx: Any) -> None:
        ctx.before_send(hook("inner send"))
        ctx.on_finished(hook("inner finished"))
        async with ctx.stream() as out:
            await out.write(b"x")
        assert ctx.app is inner

    outer.use(inner.as_middleware())
    async with Client(outer) as client:
        cookies = (await client.get("/")).cookies
    assert {label for label, is_outer in seen if is_outer} == {
        "outer send",
        "outer detach",
        "outer finished",
    }
    assert {label for label, is_outer in seen if not is_outer} == {"inner send", "inner finished"}
    signed = {name: cookies[f"{name}.sig"] for name in ("outer", "inner")}
    assert outer.keygrip is not None
    assert inner.keygrip is not None
    assert outer.keygrip.sign("outer=x") == signed["outer"]
    assert inner.keygrip.sign("inner=x") == signed["inner"]


async def test_state_is_seen_inside_and_what_is_set_there_stays_there() -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test")

    @outer.use
    async def upstream(ctx: Any, next: Any) -> None:
        ctx.state.user = "tobi"
        ctx.flag = "set on ctx"
        await next()
        assert "secret" not in ctx.state

    @inner.use
    async def inside(ctx: Any) -> None:
        ctx.state.secret = 1
        ctx.body = [ctx.state.user, ctx.flag, inner.current_context is ctx]

    outer.use(inner.as_middleware())
    async with Client(outer) as client:
        assert (await client.get("/")).json() == ["tobi", "set on ctx", True]
    assert inner.current_context is None


async def test_it_drains_with_the_outer_application() -> None:
    outer, inner = pair()

    @inner.use
    async def wait(ctx: Any) -> None:
        outer.draining = True
        await ctx.app.wait_draining()
        ctx.body = str(ctx.app.draining)

    async with Client(outer) as client:
        assert (await client.get("/")).text == "True"


async def test_stopping_waits_for_its_listeners() -> None:
    outer, inner = pair()
    heard: list[str] = []

    @inner.on("news")
    async def slow() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        heard.append("told")

    @inner.use
    async def tell(ctx: Any) -> None:
        ctx.app.emit("news")
        ctx.body = ""

    async with outer.lifespan_context(), Client(outer) as client:
        await client.get("/")
    assert heard == ["told"]


async def test_a_body_that_is_no_json_fails_inside() -> None:
    outer, inner = pair(json_spaces=0)
    heard: list[str] = []
    inner.on("error", lambda error, ctx: heard.append(type(error).__name__))

    @inner.use
    async def odd(ctx: Any) -> None:
        ctx.body = {"x": object()}

    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == ["TypeError"]


def test_its_lifespan_is_asked_for_only_if_there_is_one() -> None:
    inner = Ohia()
    assert inner.as_middleware().lifespan is None

    @inner.lifespan
    async def life(app: Ohia) -> AsyncIterator[None]:
        yield

    assert inner.as_middleware().lifespan is not None


async def test_a_warning_tells_of_a_lifespan_that_nobody_entered() -> None:
    inner = Ohia(env="test")

    @inner.lifespan
    async def life(app: Ohia) -> AsyncIterator[None]:
        yield

    outer = Ohia(env="test")
    outer.use(inner.as_middleware().__call__)  # which hides the lifespan
    async with Client(outer, raise_errors=False) as client:
        with pytest.warns(RuntimeWarning, match="before the lifespan"):
            await client.get("/")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await client.get("/")


async def test_an_error_after_the_head_is_told_once_and_cuts() -> None:
    outer, inner = pair()
    heard: list[Any] = []
    outer.on("error", lambda error: heard.append("outer"))
    inner.on("error", lambda error: heard.append(error.header_sent))

    @inner.use
    async def fail(ctx: Any) -> None:
        async with ctx.stream() as out:
            await out.write(b"x")
            raise OSError("boom")

    async with Client(outer, raise_errors=False) as client:
        with contextlib.suppress(Exception):
            await client.get("/")
    assert heard == [True]


async def test_without_any_listener_the_error_is_printed_once() -> None:
    outer, inner = Ohia(env="development"), Ohia(env="development")

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    outer.use(inner.as_middleware())
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        async with Client(outer, raise_errors=False) as client:
            await client.get("/")
    assert errors.getvalue().count("OSError: boom") == 1


async def test_another_error_after_one_that_was_caught_is_told_too() -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test")
    heard: list[str] = []
    outer.on("error", lambda error: heard.append(f"outer {error}"))
    inner.on("error", lambda error: heard.append(f"inner {error}"))

    @outer.use
    async def upstream(ctx: Any, next: Any) -> None:
        with contextlib.suppress(OSError):
            await next()
        raise OSError("second")

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("first")

    outer.use(inner.as_middleware())
    async with Client(outer, raise_errors=False) as client:
        await client.get("/")
    assert heard == ["inner first", "outer second"]


async def test_an_error_passes_two_applications_and_is_told_once() -> None:
    outer, middle, inner = Ohia(env="test"), Ohia(env="test"), Ohia(env="test")
    heard: list[str] = []
    for name, app in {"outer": outer, "middle": middle, "inner": inner}.items():
        app.on("error", lambda error, *, name=name: heard.append(name))

    @inner.use
    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    middle.use(inner.as_middleware())
    outer.use(middle.as_middleware())
    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == ["inner"]
