"""The application: settings, use, errors, events, the life of a request."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ohia import Context, HTTPError, Keygrip, Next, Ohia
from ohia.testing import Client


def test_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OHIA_ENV", raising=False)
    app = Ohia()
    assert (app.env, app.proxy, app.subdomain_offset, app.json_spaces) == (
        "development", False, 2, 2,
    )  # fmt: skip
    assert (app.name, app.keys, app.output_errors) == (None, None, None)


@pytest.mark.parametrize(("value", "env"), [("test", "test"), ("", "development")])
def test_env_is_read_unless_empty(monkeypatch: pytest.MonkeyPatch, value: str, env: str) -> None:
    monkeypatch.setenv("OHIA_ENV", value)
    assert Ohia().env == env
    assert Ohia(env="production").env == "production"


def test_keys_are_a_list_or_an_object_that_signs() -> None:
    grip = Keygrip(["a"], "sha256")
    assert Ohia(keys=grip).keygrip is grip
    assert Ohia(keys=["a", "b"]).keygrip is not None
    with pytest.raises(TypeError, match="a list of secrets"):
        Ohia(keys="secret")
    with pytest.raises(TypeError, match="sign"):
        Ohia(keys=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Keys must be provided"):
        Ohia(keys=[])


def test_keys_are_never_shown() -> None:  # S21
    app = Ohia(keys=["very-secret"])
    assert "very-secret" not in f"{app!r} {app.to_dict()} {app.keygrip!r}"


def test_use_returns_its_first_argument_and_takes_several() -> None:
    app = Ohia()

    @app.use
    async def one(ctx: Context, next: Next) -> None: ...

    async def two(ctx: Context) -> None: ...

    assert app.use(two, one) is two
    assert app.middleware == [one, two, one]


async def async_generator(ctx: Context, next: Next) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("middleware", "advice"),
    [
        (None, "must be a function"),
        ([], "must be a function"),
        (async_generator, "await next"),
        (Context, "instance"),
        (lambda: None, "takes no argument"),
        (lambda a, b, c: None, "needs a, b, c"),
        (Ohia(), "mount"),
    ],
)
def test_what_can_never_run_is_refused_at_use(middleware: Any, advice: str) -> None:
    app = Ohia()
    with pytest.raises(TypeError, match=advice):
        app.use(middleware)
    assert app.middleware == []
    with pytest.raises(TypeError, match="at least one"):
        app.use()


async def test_cascading_in_every_spelling() -> None:
    order: list[str] = []
    app = Ohia()

    @app.use
    async def coroutine(ctx: Context, next: Next) -> None:
        order.append(">> one")
        await next()
        order.append("<< one")

    @app.use
    def generator(ctx: Context, next: Next) -> Iterator[Any]:
        order.append(">> two")
        yield next
        order.append("<< two")

    @app.use
    def plain(ctx: Context, next: Next) -> Any:
        order.append(">> three")
        return next()

    @app.use
    async def bare(ctx: Context, next: Next) -> None:
        await next
        order.append("<< four")

    @app.use
    def answering(ctx: Context) -> None:
        ctx.body = "Hello World"

    async with Client(app) as client:
        assert (await client.get("/")).text == "Hello World"
    assert order == [">> one", ">> two", ">> three", "<< four", "<< two", "<< one"]


async def test_middleware_added_later_takes_effect_on_the_next_request() -> None:
    app = Ohia()
    app.callback()
    async with Client(app) as client:
        assert (await client.get("/")).status == 404
        app.use(lambda ctx: setattr(ctx, "body", "late"))
        assert (await client.get("/")).text == "late"
        app.middleware.clear()
        assert (await client.get("/")).status == 404


async def test_what_middleware_returns_never_becomes_a_body() -> None:
    app = Ohia(env="production")
    app.use(lambda ctx: "not a body")
    async with Client(app) as client:
        assert (await client.get("/")).status == 404


async def returns_a_dict(ctx: Context) -> object:
    return {"name": "tobi"}


def makes_middleware(ctx: Any) -> Any:
    return lambda ctx: None


@pytest.mark.parametrize(
    ("middleware", "told"),
    [
        (returns_a_dict, "returns_a_dict returned a dict, which is no answer: write `ctx.body"),
        (lambda ctx: "not a body", "a lambda returned a str, which is no answer"),
        (
            makes_middleware,
            r"makes_middleware returned a function.*use `makes_middleware\(\.\.\.\)`",
        ),
    ],
)
async def test_a_value_that_nobody_took_is_told_outside_production(
    middleware: Any, told: str
) -> None:
    app = Ohia()

    @app.use
    async def above(ctx: Context, next: Next) -> None:
        await next()

    app.use(middleware)
    async with Client(app) as client:
        with pytest.warns(RuntimeWarning, match=told):
            assert (await client.get("/")).status == 404


async def test_a_value_that_somebody_took_is_not_told() -> None:
    app = Ohia()

    @app.use
    async def renders(ctx: Context, next: Next) -> None:
        ctx.body = await next()

    app.use(returns_a_dict)
    async with Client(app) as client:
        assert (await client.get("/")).json() == {"name": "tobi"}


async def test_a_compose_of_ones_own() -> None:
    def compose(middleware: Any) -> Any:
        async def composed(ctx: Context) -> None:
            ctx.body = f"{len(middleware)} middleware"

        return composed

    app = Ohia(compose=compose)
    app.use(lambda ctx: None)
    async with Client(app) as client:
        assert (await client.get("/")).text == "1 middleware"


async def test_each_app_has_a_context_of_its_own() -> None:
    first, second = Ohia(), Ohia()
    first.context.shout = lambda self: self.path.upper()  # type: ignore[attr-defined]
    first.request.twice = property(lambda self: self.path * 2)  # type: ignore[attr-defined]
    first.response.note = "noted"  # type: ignore[attr-defined]
    for app in (first, second):

        @app.use
        def answer(ctx: Any) -> None:
            ctx.body = [hasattr(ctx, "shout"), hasattr(ctx.request, "twice")]
            if hasattr(ctx, "shout"):
                ctx.body = ctx.shout() + ctx.request.twice + ctx.response.note

    async with Client(first) as client:
        assert (await client.get("/a")).text == "/A/a/anoted"
    async with Client(second) as client:
        assert (await client.get("/a")).json() == [False, False]


async def test_current_context_is_the_requests_own() -> None:
    app = Ohia()
    seen: list[bool] = []

    @app.use
    async def look(ctx: Context) -> None:
        await asyncio.gather(deeper(ctx), deeper(ctx))

    async def deeper(ctx: Context) -> None:
        seen.append(app.current_context is ctx)

    async with Client(app) as client:
        await asyncio.gather(*(client.get("/") for _ in range(5)))
    assert seen == [True] * 10
    assert app.current_context is None


async def test_a_context_is_not_kept_by_what_is_scheduled_while_it_runs() -> None:
    """Uvicorn starts the timer of a kept connection in the task that sends the response."""
    app = Ohia()
    contexts: list[weakref.ref[Context]] = []
    timers: list[asyncio.TimerHandle] = []

    @app.use
    def schedule(ctx: Context) -> None:
        contexts.append(weakref.ref(ctx))
        timers.append(asyncio.get_running_loop().call_later(60, list))

    async with Client(app) as client:
        await client.get("/")
        gc.collect()
        assert contexts[0]() is None
    timers[0].cancel()


async def test_a_task_that_outlives_its_request_has_no_current_context() -> None:
    app = Ohia()
    tasks: list[asyncio.Task[object]] = []
    over = asyncio.Event()

    async def look() -> object:
        await over.wait()
        return app.current_context

    @app.use
    async def start(ctx: Context) -> None:
        tasks.append(asyncio.create_task(look()))

    async with Client(app) as client:
        await client.get("/")
        over.set()
        assert await tasks[0] is None


async def test_the_running_task_is_right_within_middleware() -> None:
    app = Ohia()

    @app.use
    async def timed(ctx: Context, next: Next) -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            await next()

    @app.use
    def generator(ctx: Context, next: Next) -> Iterator[Any]:
        ctx.body = str(asyncio.current_task() is not None)
        yield next

    async with Client(app) as client:
        assert (await client.get("/")).text == "True"


async def test_error_listeners_get_the_error_and_if_they_can_the_context() -> None:
    app = Ohia(env="development")
    seen: list[Any] = []

    @app.on("error")
    def one(err: BaseException) -> None:
        seen.append(type(err))

    @app.on("error")
    async def two(err: BaseException, ctx: Context) -> None:
        seen.append(ctx.path)

    @app.use
    async def fail(ctx: Context) -> None:
        raise KeyError("x")

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/p")).status == 500
    assert seen == [KeyError, "/p"]


async def test_a_listener_that_raises_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    app = Ohia()

    @app.on("error")
    def broken(err: BaseException) -> None:
        raise ValueError("broken listener")

    app.use(lambda ctx: ctx.throw(500, "first"))
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "Internal Server Error"
    assert "broken listener" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "options", "printed"),
    [
        (ValueError("boom"), {"env": "development"}, True),
        (ValueError("boom"), {"env": "test"}, False),
        (ValueError("boom"), {"env": "test", "output_errors": True}, True),
        (ValueError("boom"), {"env": "development", "output_errors": False}, False),
        (HTTPError(500, "boom"), {"env": "development"}, True),
        (HTTPError(404, "boom"), {"env": "development"}, False),
        (HTTPError(400, "boom"), {"env": "development"}, False),
        (HTTPError(400, "boom", expose=False), {"env": "development"}, True),
    ],
)
async def test_errors_are_printed_to_stderr(
    capsys: pytest.CaptureFixture[str], error: Exception, options: Any, printed: bool
) -> None:
    app = Ohia(**options)

    @app.use
    async def fail(ctx: Context) -> None:
        raise error

    async with Client(app, raise_errors=False) as client:
        await client.get("/")
    err = capsys.readouterr().err
    assert ("boom" in err) is printed
    if printed:
        lines = err.split("\n")
        assert (lines[0], lines[-2:]) == ("", ["", ""])
        assert all(line.startswith("  ") for line in lines[1:-2])


async def test_an_error_caught_upstream_is_silent() -> None:
    app = Ohia()
    errors: list[Any] = []
    app.on("error", errors.append)

    @app.use
    async def rescue(ctx: Context, next: Next) -> None:
        try:
            await next()
        except ValueError:
            ctx.body = "rescued"

    @app.use
    async def fail(ctx: Context) -> None:
        raise ValueError

    async with Client(app) as client:
        assert (await client.get("/")).text == "rescued"
    assert errors == []


async def test_a_forgotten_await_is_named_outside_production(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = Ohia(env="development")

    @app.use
    async def forgetful(ctx: Context, next: Next) -> None:
        next()

    app.use(lambda ctx: None)
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    err = capsys.readouterr().err
    assert "forgetful" in err
    assert "await next()" in err


async def test_next_twice_is_an_error_at_once() -> None:
    app = Ohia()

    @app.use
    async def twice(ctx: Context, next: Next) -> None:
        await next()
        with pytest.raises(RuntimeError, match=r"next\(\) called multiple times"):
            next()
        ctx.body = "told"

    async with Client(app) as client:
        assert (await client.get("/")).text == "told"


async def test_state_is_a_namespace_filled_by_the_lifespan() -> None:
    app = Ohia()
    events: list[str] = []

    @app.lifespan
    async def one(app: Ohia) -> AsyncIterator[dict[str, str]]:
        events.append("one up")
        yield {"pool": "a pool"}
        events.append("one down")

    @app.lifespan
    @asynccontextmanager
    async def two(app: Ohia) -> AsyncIterator[None]:
        events.append("two up")
        yield
        events.append("two down")

    @app.use
    async def answer(ctx: Context) -> None:
        ctx.state.user = "tobi"
        ctx.body = [ctx.state["user"], ctx.state.pool, sorted(ctx.state), "x" in ctx.state]
        with pytest.raises(AttributeError):
            _ = ctx.state.missing
        with pytest.raises(KeyError):
            _ = ctx.state["missing"]

    async with Client(app) as client:
        assert (await client.get("/")).json() == ["tobi", "a pool", ["pool", "user"], False]
    assert events == ["one up", "two up", "two down", "one down"]


async def test_a_lifespan_that_fails_to_start_unwinds_the_others() -> None:
    app = Ohia()
    events: list[str] = []

    @app.lifespan
    async def good(app: Ohia) -> AsyncIterator[None]:
        events.append("up")
        try:
            yield
        finally:
            events.append("down")

    @app.lifespan
    async def bad(app: Ohia) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    with pytest.raises(OSError, match="no database"):
        await app.startup()
    assert events == ["up", "down"]
    with pytest.raises(OSError, match="no database"):
        await app.startup()


async def test_the_lifespan_is_entered_once_for_many_servers() -> None:
    app = Ohia()
    events: list[str] = []

    @app.lifespan
    async def count(app: Ohia) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    async with app.lifespan_context(), app.lifespan_context():
        assert events == ["up"]
    assert events == ["up", "down"]


def test_a_lifespan_without_a_yield_is_refused() -> None:
    async def wrong(app: Ohia) -> None: ...

    with pytest.raises(TypeError, match="yield"):
        Ohia().lifespan(wrong)  # type: ignore[type-var]


async def test_asgi_of_an_unknown_kind_raises() -> None:
    with pytest.raises(ValueError, match="not 'smtp'"):
        await Ohia()({"type": "smtp"}, None, None)  # type: ignore[arg-type]


async def test_a_request_before_the_lifespan_warns_once() -> None:
    app = Ohia(env="test")

    @app.lifespan
    async def up(app: Ohia) -> AsyncIterator[None]:
        yield

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "path": "/", "raw_path": b"/", "query_string": b"", "headers": [], "scheme": "http",
    }  # fmt: skip
    with pytest.warns(RuntimeWarning, match="lifespan_context"):
        await app(scope, receive, send)
    await app(scope, receive, send)
    assert [message.get("status") for message in sent] == [404, None, 404, None]


@pytest.mark.parametrize(
    ("args", "props", "expected"),
    [
        ((), {}, (500, "Internal Server Error", False)),
        ((404,), {}, (404, "Not Found", True)),
        ((400, "name required"), {"user": "tobi"}, (400, "name required", True)),
        ((503, "x"), {"expose": True}, (503, "x", True)),
    ],
)
async def test_throw(args: Any, props: Any, expected: Any) -> None:
    app = Ohia(env="test")

    @app.use
    def middleware(ctx: Context) -> None:
        try:
            ctx.throw(*args, **props)
        except HTTPError as error:
            assert (error.status, error.message, error.expose) == expected
            assert vars(error).get("user") == props.get("user")
            ctx.body = type(error).__name__

    async with Client(app) as client:
        await client.get("/")


async def test_throw_raises_a_given_error_as_it_is() -> None:
    app = Ohia(env="test")
    given = ValueError("mine")
    app.use(lambda ctx: ctx.throw(given))
    async with Client(app) as client:
        with pytest.raises(ValueError, match="mine"):
            await client.get("/")


async def test_assert_throws_what_does_not_hold() -> None:
    app = Ohia(env="test")

    @app.use
    def middleware(ctx: Context) -> None:
        ctx.assert_(True, 400)  # noqa: FBT003
        ctx.assert_.equal(1, 1.0, 400)
        ctx.assert_.not_equal(1, 2, 400)
        ctx.assert_.deep_equal({"a": [1]}, {"a": [1]}, 400)
        ctx.assert_.ok("x", 400)
        with pytest.raises(HTTPError):
            ctx.assert_.strict_equal(1, 1.0, 400)
        with pytest.raises(HTTPError):
            ctx.assert_.fail(418)
        ctx.assert_("", 401, "login", user=1)

    async with Client(app) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (401, "login")


async def test_signed_cookies_by_default_where_there_are_keys() -> None:
    app = Ohia(keys=["im a newer secret", "i like turtle"], env="test")

    @app.use
    def visits(ctx: Context) -> None:
        n = int(ctx.cookies.get("views") or 0) + 1
        ctx.cookies.set("views", str(n))
        ctx.body = f"{n} views"

    async with Client(app) as client:
        assert (await client.get("/")).text == "1 views"
        second = await client.get("/")
        assert second.text == "2 views"
        assert second.headers.get_all("set-cookie")[1].startswith("views.sig=")
        forged = await client.get("/", headers={"Cookie": "views=99; views.sig=x"})
        assert forged.text == "1 views"


async def test_disconnected_is_an_event() -> None:
    app = Ohia()
    seen: list[bool] = []

    @app.use
    async def wait(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("x")
            seen.append(ctx.disconnected.is_set())
            await ctx.disconnected.wait()
            seen.append(ctx.disconnected.is_set())

    async with Client(app) as client, client.stream("GET", "/") as response:
        await anext(aiter(response))
    assert seen == [False, True]


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit, KeyboardInterrupt])
async def test_what_a_hook_raises_is_reported_and_the_other_hooks_run(
    kind: type[BaseException],
) -> None:
    app: Ohia = Ohia(env="test")
    errors: list[Any] = []
    ran: list[str] = []
    app.on("error", errors.append)

    @app.use
    async def hooked(ctx: Context) -> None:
        def failing(err: BaseException | None, ctx: Context) -> None:
            raise kind

        ctx.on_finished(failing)
        ctx.on_finished(lambda err, ctx: ran.append("second"))
        ctx.body = "fine"

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "fine"
    assert [type(each) for each in errors] == [kind]
    assert ran == ["second"]


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit, ValueError])
async def test_a_source_that_fails_to_close_leaves_none_open(kind: type[BaseException]) -> None:
    app: Ohia = Ohia(env="test")
    errors: list[Any] = []
    closed: list[str] = []
    app.on("error", errors.append)

    class Source:
        def __init__(self, name: str) -> None:
            self.name = name

        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            closed.append(self.name)
            raise kind

    @app.use
    async def replacing(ctx: Context) -> None:
        ctx.body = Source("first")
        ctx.body = Source("second")

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 200
    assert closed == ["second", "first"]
    assert [type(each) for each in errors] == [kind, kind]


async def test_before_send_that_wants_to_exit_for_an_error_answer_is_a_500() -> None:
    app: Ohia = Ohia(env="test")
    errors: list[Any] = []
    app.on("error", errors.append)

    @app.use
    async def failing(ctx: Context) -> None:
        def leave(ctx: Context) -> None:
            raise SystemExit

        ctx.before_send(leave)
        raise ValueError

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert [type(each) for each in errors] == [ValueError, SystemExit]


class Unwilling(Exception):
    """An error that fails when asked."""

    @property
    def expose(self) -> bool:
        raise ZeroDivisionError


async def test_an_error_that_refuses_to_be_asked_is_printed_and_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app: Ohia = Ohia(env="development")

    @app.use
    async def failing(ctx: Context) -> None:
        raise Unwilling("odd")

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert "Unwilling: odd" in capsys.readouterr().err


async def throwing(ctx: Context) -> None:
    ctx.throw(400)


async def streaming(ctx: Context) -> None:
    async with ctx.stream() as out:
        await out.write("x")


async def with_cookies(ctx: Context) -> None:
    ctx.cookies.set("visits", ctx.cookies.get("visits") or "1")


@pytest.mark.parametrize("env", ["development", "production"])
@pytest.mark.parametrize("middleware", [throwing, streaming, with_cookies])
async def test_a_request_leaves_nothing_to_the_cycle_collector(middleware: Any, env: str) -> None:
    app: Ohia = Ohia(env=env, output_errors=False)
    contexts: list[weakref.ref[Context]] = []

    @app.use
    async def noting(ctx: Context, next: Next) -> None:
        contexts.append(weakref.ref(ctx))
        await next()

    app.use(middleware)
    async with app.listen(0) as server:
        gc.collect()
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
        finally:
            gc.enable()
        assert [each() for each in contexts] == [None]


async def test_a_start_that_is_given_up_leaves_the_lifespan_at_once() -> None:
    app = Ohia()
    events: list[str] = []

    @app.lifespan
    async def slow(app: Ohia) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
        finally:
            events.append("left")
        yield

    starting = asyncio.create_task(app.startup())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert events == ["left"]


async def test_draining_can_be_waited_for() -> None:
    app = Ohia(env="test")
    waiting = [asyncio.create_task(app.wait_draining()) for _ in range(2)]
    given_up = asyncio.create_task(app.wait_draining())
    await asyncio.sleep(0)
    given_up.cancel()
    app.draining = False
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    app.draining = True
    app.draining = True
    await asyncio.gather(*waiting)
    await app.wait_draining()
    assert app.draining


@pytest.mark.parametrize(
    ("name", "maker"),
    [("session", "session"), ("csrf_token", "csrf"), ("render", "views"), ("sse", "sse")],
)
async def test_what_comes_of_bundled_middleware_is_told_where_it_lacks(
    name: str, maker: str
) -> None:
    app = Ohia()

    @app.use
    async def look(ctx: Context) -> None:
        ctx.body = hasattr(ctx, name)
        getattr(ctx, name)

    async with Client(app) as client:
        with pytest.raises(AttributeError, match=rf"ctx\.{name} is there below.*\({maker}\(\)\)"):
            await client.get("/")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_hook_of_the_end_may_register_another(fails: bool) -> None:
    app: Ohia = Ohia(env="test")
    ran: list[str] = []
    app.on("error", lambda error, ctx: ran.append(str(error)))

    @app.use
    async def hooked(ctx: Context) -> None:
        def first(err: BaseException | None, ctx: Context) -> None:
            ran.append("first")
            ctx.on_finished(third)
            if fails:
                raise OSError("boom")

        async def third(err: BaseException | None, ctx: Context) -> None:
            ran.append("third")
            ctx.on_finished(lambda err, ctx: ran.append("fourth"))

        ctx.on_finished(first)
        ctx.on_finished(lambda err, ctx: ran.append("second"))
        ctx.body = "fine"

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "fine"
    assert ran == ["first", *(["boom"] if fails else []), "second", "third", "fourth"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"Content-Length: 5\r\n\r\n123",
    ],
)
async def test_an_upload_that_fails_leaves_nothing_to_the_cycle_collector(
    request_bytes: bytes,
) -> None:
    app: Ohia = Ohia(env="production", output_errors=False)
    contexts: list[weakref.ref[Context]] = []
    ended = asyncio.Event()

    @app.use
    async def reads(ctx: Context) -> None:
        contexts.append(weakref.ref(ctx))
        ctx.on_finished(lambda err, ctx: ended.set())
        await ctx.request.read()

    async with app.listen(0, max_request_body=5) as server:
        gc.collect()
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + request_bytes)
            writer.write_eof()
            await reader.read()
            await ended.wait()
            writer.close()
            await writer.wait_closed()
            assert [each() for each in contexts] == [None]
        finally:
            gc.enable()


async def test_a_hook_of_the_detaching_may_register_another() -> None:
    app: Ohia = Ohia(env="test")
    ran: list[str] = []

    @app.use
    async def hooked(ctx: Context) -> None:
        def first(ctx: Context) -> None:
            ran.append("first")
            ctx.on_detach(lambda ctx: ran.append("third"))

        ctx.on_detach(first)
        ctx.on_detach(lambda ctx: ran.append("second"))
        async with ctx.stream() as out:
            await out.write("x")

    async with Client(app) as client:
        assert (await client.get("/")).text == "x"
    assert ran == ["first", "second", "third"]
