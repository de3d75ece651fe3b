import asyncio
import contextlib
import gc
import io
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ohia import Ohia
from ohia.middleware.asgi import asgi
from ohia.middleware.asgi_middleware import asgi_middleware
from ohia.side import Side
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


async def test_a_second_host_does_not_end_the_draining() -> None:
    outer, inner = pair()
    other = Ohia(env="test")
    other.use(inner.as_middleware())

    @inner.use
    async def look(ctx: Any) -> None:
        ctx.body = str(ctx.app.draining)

    async with Client(outer) as client, Client(other) as others:
        await client.get("/")
        outer.draining = True
        assert (await others.get("/")).text == "True"


@pytest.mark.parametrize("between", [0, 1, 2])
async def test_stopping_waits_for_its_listeners(between: int) -> None:
    outer, inner = pair()
    for _ in range(between):
        host = Ohia(env="test")
        host.use(outer.as_middleware())
        outer = host
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


def listening(*apps: Ohia) -> list[str]:
    """Return the list of what the "error" listeners of `apps` hear, by name."""
    heard: list[str] = []

    def listen(app: Ohia) -> None:
        @app.on("error")
        def hear(error: BaseException, ctx: Any) -> None:
            is_own = isinstance(ctx, app.context) and app.current_context is ctx
            heard.append(f"{app.name}: {error}{'' if is_own else ', with the ctx of another'}")

    for app in apps:
        listen(app)
    return heard


async def test_an_error_behind_it_is_that_of_the_outer_application() -> None:
    outer, inner = pair()
    heard = listening(outer, inner)

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        await next()

    @outer.use
    async def behind(ctx: Any) -> None:
        raise OSError("boom")

    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == ["outer: boom"]


async def test_an_error_that_the_inner_application_makes_of_one_behind_it_is_its_own() -> None:
    outer, inner = pair()
    heard = listening(outer, inner)

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        try:
            await next()
        except OSError as error:
            raise RuntimeError("mine") from error

    @outer.use
    async def behind(ctx: Any) -> None:
        raise OSError("theirs")

    async with Client(outer, raise_errors=False) as client:
        await client.get("/")
    assert heard == ["inner: mine"]


@pytest.mark.parametrize("place", ["outer", "middle", "inner"])
async def test_an_error_is_told_where_it_belongs_by_whatever_it_passes(place: str) -> None:
    outer, middle, inner = (Ohia(env="test", name=name) for name in ("outer", "middle", "inner"))
    heard = listening(outer, middle, inner)

    def fails(app: Ohia) -> None:
        @app.use
        async def fail(ctx: Any, next: Any) -> None:
            if place == app.name:
                raise OSError("boom")
            await next()

    fails(inner)
    middle.use(inner.as_middleware())
    fails(middle)
    outer.use(middle.as_middleware())
    fails(outer)
    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == [f"{place}: boom"]


async def streams(ctx: Any) -> None:
    async with ctx.stream() as out:
        await out.write(b"x")


async def answers(ctx: Any) -> None:
    ctx.body = "x"


@pytest.mark.parametrize("handler", [streams, answers])
@pytest.mark.parametrize("registrar", ["outer", "inner"])
@pytest.mark.parametrize("place", ["inside", "behind"])
async def test_an_error_of_a_hook_is_told_where_the_hook_was_registered(
    handler: Any, registrar: str, place: str
) -> None:
    outer, inner = Ohia(env="test", name="outer"), Ohia(env="test", name="inner")
    heard = listening(outer, inner)

    async def fail(ctx: Any) -> None:
        raise OSError("boom")

    async def register(ctx: Any, next: Any) -> None:
        if ctx.app.name == registrar:
            ctx.before_send(fail)
        await next()

    outer.use(register, inner.as_middleware())
    inner.use(register)
    (inner if place == "inside" else outer).use(handler)
    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == [f"{registrar}: boom"]


@pytest.mark.parametrize("handler", [streams, answers])
@pytest.mark.parametrize("kind", ["before_send", "on_detach", "on_finished"])
async def test_a_hook_registered_by_a_hook_runs_as_where_that_was_registered(
    handler: Any, kind: str
) -> None:
    outer, inner = Ohia(env="test", name="outer"), Ohia(env="test", name="inner")
    seen: list[tuple[str, str, bool]] = []

    def hook(name: str, depth: int) -> Any:
        async def note(ctx: Any) -> None:
            seen.append((name, ctx.app.name, ctx.state.of == name))
            if depth and not ctx.header_sent:
                below = hook(name, depth - 1)
                ctx.before_send(below)
                ctx.on_finished(lambda error, ctx: below(ctx))

        return note

    async def register(ctx: Any, next: Any) -> None:
        ctx.state.of = ctx.app.name
        made = hook(ctx.app.name, 2)
        if kind == "on_finished":
            ctx.on_finished(lambda error, ctx: made(ctx))
        else:
            getattr(ctx, kind)(made)
        await next()

    outer.use(register, inner.as_middleware())
    inner.use(register, handler)
    is_short = kind == "on_detach" and handler is answers
    async with Client(outer) as client:
        assert (await client.get("/")).text == "x"
    assert {name for name, _, _ in seen} == (set() if is_short else {"outer", "inner"})
    assert all(name == shown and is_own for name, shown, is_own in seen)


async def test_one_application_inside_two_times_has_two_states() -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test")
    seen: list[tuple[int, int]] = []

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        here = ctx.state.here = object()
        ctx.before_send(lambda ctx: seen.append((id(here), id(ctx.state.here))))
        await next()

    outer.use(inner.as_middleware(), inner.as_middleware(), streams)
    async with Client(outer) as client:
        await client.get("/")
    assert len(seen) == 2
    assert all(registered == shown for registered, shown in seen)


async def test_each_application_has_the_state_of_its_own_lifespan() -> None:
    outer, inner = Ohia(env="test", json_spaces=0), Ohia(env="test", json_spaces=0)

    @inner.lifespan
    async def of_inner(app: Ohia) -> AsyncIterator[dict[str, str]]:
        yield {"pool": "inner"}

    @outer.lifespan
    async def of_outer(app: Ohia) -> AsyncIterator[dict[str, str]]:
        yield {"pool": "outer", "mail": "outer"}

    async def note(ctx: Any, next: Any) -> None:
        await next()
        ctx.body = [*(ctx.body or []), ctx.state.pool, ctx.state.mail]

    inner.use(note)
    outer.use(note, inner.as_middleware(), note)
    async with Client(outer) as client:
        shown = (await client.get("/")).json()
    assert shown == ["outer", "outer", "inner", "outer", "outer", "outer"]


@pytest.mark.parametrize("touched", [False, True])
async def test_what_is_set_on_request_and_response_is_there_on_both_sides(touched: bool) -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test")
    seen: list[Any] = []

    async def upstream(ctx: Any, next: Any) -> None:
        assert not touched or ctx.request is ctx.request
        await next()
        seen.append(("upstream", ctx.request.body, ctx.response.made, ctx.request.app is outer))

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        ctx.request.body, ctx.response.made = {"a": 1}, True
        await next()

    async def behind(ctx: Any) -> None:
        seen.append(("behind", ctx.request.body, ctx.response.made, ctx.request.app is outer))

    outer.use(upstream, inner.as_middleware(), behind)
    async with Client(outer, raise_errors=False) as client:
        await client.get("/")
    assert seen == [("behind", {"a": 1}, True, True), ("upstream", {"a": 1}, True, True)]


async def test_the_url_is_read_by_the_settings_of_each_side() -> None:
    outer, inner = Ohia(env="test"), Ohia(env="test", proxy=True)
    seen: list[tuple[str, str]] = []

    async def note(ctx: Any, next: Any) -> None:
        seen.append((ctx.URL.host, ctx.host))
        await next()

    inner.use(note)
    outer.use(note, inner.as_middleware(), note)
    async with Client(outer, raise_errors=False) as client:
        await client.get("/", headers={"Host": "a.test", "X-Forwarded-Host": "b.test"})
    assert seen == [("a.test", "a.test"), ("b.test", "b.test"), ("a.test", "a.test")]


async def test_json_is_written_by_the_settings_of_who_set_it() -> None:
    outer, inner = Ohia(env="test", json_spaces=0), Ohia(env="test", json_spaces=2)

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        if ctx.path == "/inner":
            ctx.body = {"a": 1}
            return
        await next()

    @outer.use
    async def behind(ctx: Any) -> None:
        ctx.body = {"a": 1}

    outer.middleware.insert(0, inner.as_middleware())
    async with Client(outer) as client:
        assert (await client.get("/inner")).text == '{\n  "a": 1\n}'
        assert (await client.get("/outer")).text == '{"a":1}'


async def test_a_request_inside_makes_no_cycle() -> None:
    outer, inner = pair()
    made: list[weakref.ref[Any]] = []

    async def touch(ctx: Any, next: Any) -> None:
        made.append(weakref.ref(ctx))
        ctx.before_send(lambda ctx: ctx.state)
        await next()

    @outer.use
    async def behind(ctx: Any) -> None:
        assert ctx.request.app is outer
        ctx.body = "x"

    inner.use(touch)
    async with Client(outer) as client:
        gc.collect()
        gc.disable()
        try:
            await client.get("/")
            await asyncio.sleep(0)
            assert [each() for each in made] == [None]
        finally:
            gc.enable()


async def lazily(ctx: Any) -> AsyncIterator[str]:
    yield f"{ctx.app.name} {ctx.state.of} {ctx.app.current_context is ctx},"
    await asyncio.sleep(0)
    yield f"{ctx.app.name}"


def at_once(ctx: Any) -> Iterator[str]:
    yield f"{ctx.app.name} {ctx.state.of} {ctx.app.current_context is ctx},"
    yield f"{ctx.app.name}"


@pytest.mark.parametrize("body", [lazily, at_once])
@pytest.mark.parametrize("place", ["outer", "middle", "inner", "behind"])
async def test_a_body_in_pieces_is_made_as_where_it_was_set(body: Any, place: str) -> None:
    apps = [Ohia(env="test", name=name) for name in ("outer", "middle", "inner")]
    outer, middle, inner = apps

    def sets(name: str) -> Any:
        async def sets(ctx: Any, next: Any) -> None:
            ctx.state.of = ctx.app.name
            if place == name:
                ctx.body = body(ctx)
            else:
                await next()

        return sets

    outer.use(sets("outer"), middle.as_middleware(), sets("behind"))
    middle.use(sets("middle"), inner.as_middleware())
    inner.use(sets("inner"))
    name = "outer" if place == "behind" else place
    async with Client(outer) as client:
        assert (await client.get("/")).text == f"{name} {name} True,{name}"
    assert inner.current_context is outer.current_context is None


async def test_a_body_that_fails_is_told_where_it_was_set() -> None:
    outer, inner = pair()
    heard = listening(outer, inner)

    @inner.use
    async def inside(ctx: Any) -> None:
        async def fails() -> AsyncIterator[bytes]:
            if ctx.path == "/late":
                yield b"x"
            raise OSError("boom")

        ctx.body = fails()

    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
        with pytest.raises(ConnectionError):
            await client.get("/late")
    assert heard == ["inner: boom", "inner: boom"]


@pytest.mark.parametrize("between", [False, True])
async def test_an_application_inside_of_itself_is_told_at_the_start(between: bool) -> None:
    outer, inner = pair()
    (inner if between else outer).use(outer.as_middleware())
    with pytest.raises(ValueError, match="cannot be inside of itself"):
        await outer.startup()


async def sets_a_value(ctx: Any) -> None:
    ctx.body = {"a": 1}


async def sets_pieces(ctx: Any) -> None:
    ctx.body = lazily(ctx)


async def fails_inside(ctx: Any) -> None:
    raise OSError("boom")


@pytest.mark.parametrize("handler", [sets_a_value, sets_pieces, fails_inside])
async def test_what_is_answered_inside_leaves_nothing_to_the_cycle_collector(handler: Any) -> None:
    outer, inner = pair()
    listening(inner)
    made: list[weakref.ref[Any]] = []

    async def catch(ctx: Any, next: Any) -> None:
        made.append(weakref.ref(ctx))
        ctx.state.of = "outer"
        try:
            await next()
        except OSError:
            ctx.body = "caught"

    outer.middleware.insert(0, catch)
    inner.use(handler)
    async with Client(outer) as client:
        await client.get("/")
        gc.collect()
        gc.disable()
        try:
            assert (await client.get("/")).status == 200
            await asyncio.sleep(0)
            assert made[-1]() is None
            assert not [each for each in gc.get_objects() if type(each) is Side]
        finally:
            gc.enable()


@pytest.mark.parametrize("kind", ["before_send", "on_detach", "on_finished"])
async def test_hooks_find_the_current_context_of_the_application_inside(kind: str) -> None:
    outer, inner = pair()
    seen: list[bool] = []

    @inner.use
    async def inside(ctx: Any, next: Any) -> None:
        getattr(ctx, kind)(lambda *arguments: seen.append(inner.current_context is arguments[-1]))
        await next()

    outer.use(streams)
    async with Client(outer) as client:
        await client.get("/")
    assert seen == [True]
    assert inner.current_context is None


@pytest.mark.parametrize("kind", ["body", "before_send"])
@pytest.mark.parametrize("listens", ["outer", "middle", "inner"])
async def test_what_fails_after_the_chain_is_told_to_the_next_that_listens(
    kind: str, listens: str
) -> None:
    apps = [Ohia(env="test", name=name) for name in ("outer", "middle", "inner")]
    outer, middle, inner = apps
    heard = listening(*(each for each in apps if each.name in {"outer", listens}))
    outer.use(middle.as_middleware())
    middle.use(inner.as_middleware())

    @inner.use
    async def inside(ctx: Any) -> None:
        async def fails(*_: Any) -> AsyncIterator[bytes]:
            raise OSError("boom")
            yield b""

        def fail(ctx: Any) -> None:
            raise OSError("boom")

        ctx.body = fails() if kind == "body" else "x"
        if kind == "before_send":
            ctx.before_send(fail)

    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert heard == [f"{listens}: boom"]


async def test_a_body_of_an_application_behind_another_is_made_as_there() -> None:
    outer, first = pair()
    second = Ohia(env="test", name="second")
    outer.use(second.as_middleware())

    @first.use
    async def goes_on(ctx: Any, next: Any) -> None:
        await next()

    @second.use
    async def inside(ctx: Any) -> None:
        ctx.state.of = "second"
        ctx.body = lazily(ctx)

    async with Client(outer) as client:
        assert (await client.get("/")).text == "second second True,second"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_body_is_closed_as_where_it_was_set(fails: bool) -> None:
    outer, inner = pair()
    heard = listening(outer, inner)
    closed: list[tuple[str | None, bool]] = []

    @inner.use
    async def inside(ctx: Any) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x"
            finally:
                closed.append((ctx.app.name, inner.current_context is ctx))
                if fails:
                    raise OSError("not closed")

        ctx.body = pieces()

    async def stop(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield await anext(pieces)
        raise OSError("boom")

    async def above(ctx: Any, next: Any) -> None:
        await next()
        ctx.response.filter(stop)

    outer.middleware.insert(0, above)
    async with Client(outer, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")
    assert closed == [("inner", True)]
    assert heard == ["outer: boom", *(["inner: not closed"] if fails else [])]


async def late(scope: Any, receive: Any, send: Any) -> None:
    """Answer, and fail behind that: an ASGI application."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
        await asyncio.sleep(0)
        raise OSError("boom")


def failing(app: Any) -> Any:
    """Let `app` answer, and fail behind that: an ASGI middleware."""

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        if scope["type"] == "http":
            raise OSError("boom")

    return fail


async def reports(ctx: Any, next: Any) -> None:
    await next()
    ctx.app.report(OSError("boom"), ctx)


@pytest.mark.parametrize("reporting", [asgi(late), asgi_middleware(failing), reports])
@pytest.mark.parametrize("listens", ["outer", "middle", "inner"])
async def test_what_is_only_reported_is_told_to_the_next_that_listens(
    reporting: Any, listens: str
) -> None:
    apps = [Ohia(env="test", name=name) for name in ("outer", "middle", "inner")]
    outer, middle, inner = apps
    heard = listening(*(each for each in apps if each.name in {"outer", listens}))
    outer.use(middle.as_middleware())
    middle.use(inner.as_middleware())
    inner.use(reporting, sets_text)
    async with Client(outer, raise_errors=False) as client:
        assert (await client.get("/")).text == "x"
    assert heard == [f"{listens}: boom"]


async def sets_text(ctx: Any) -> None:
    ctx.body = "x"
