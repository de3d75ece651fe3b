import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from ohia import Ohia, compose
from ohia.lifespan import join_lifespans
from ohia.testing import Client

Events = list[str]


class Carrier:
    """A middleware with a lifespan, which tells `events` of its life."""

    def __init__(self, name: str, events: Events) -> None:
        self.name = name
        self.events = events

    async def __call__(self, ctx: Any, next: Any) -> None:
        await next()

    async def lifespan(self, app: Ohia) -> AsyncIterator[dict[str, str]]:
        self.events.append(f"{self.name} up")
        yield {self.name: app.name or ""}
        self.events.append(f"{self.name} down")


async def answer(ctx: Any) -> None:
    ctx.body = {name: ctx.state[name] for name in ctx.state}


async def test_what_middleware_carries_is_entered_in_its_place_and_left_in_reverse() -> None:
    app, events = Ohia(name="outer"), Events()
    app.use(Carrier("first", events))
    app.lifespan(Carrier("own", events).lifespan)
    app.use(Carrier("second", events), answer)
    async with Client(app) as client:
        response = await client.get("/")
        assert response.json() == {"first": "outer", "own": "outer", "second": "outer"}
    assert events == ["first up", "own up", "second up", "second down", "own down", "first down"]


async def test_a_function_may_carry_an_async_context_manager_function() -> None:
    app, events = Ohia(), Events()

    async def middleware(ctx: Any, next: Any) -> None: ...

    @asynccontextmanager
    async def lifespan(app: Ohia) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    middleware.lifespan = lifespan  # type: ignore[attr-defined]
    app.use(middleware)
    async with app.lifespan_context():
        assert events == ["up"]
    assert events == ["up", "down"]


async def test_middleware_used_twice_lives_once() -> None:
    app, events = Ohia(), Events()
    carrier = Carrier("one", events)
    app.use(carrier, compose(carrier, carrier))
    app.use(carrier)
    async with app.lifespan_context():
        pass
    assert events.count("one up") == events.count("one down") == 2  # the chain's is its own


async def test_a_chain_hands_on_what_its_middleware_carries() -> None:
    app, events = Ohia(name="outer"), Events()
    app.use(compose([Carrier("a", events), answer, compose(Carrier("b", events))]))
    async with app.lifespan_context():
        assert app.lifespan_state == {"a": "outer", "b": "outer"}
    assert events == ["a up", "b up", "b down", "a down"]


def test_a_chain_of_what_has_no_life_has_none() -> None:
    assert compose(answer).lifespan is None
    assert join_lifespans([]) is None


async def test_what_is_carried_is_asked_for_when_the_application_starts() -> None:
    events = Events()
    held: list[Carrier] = []

    class Late:
        async def __call__(self, ctx: Any) -> None: ...

        @property
        def lifespan(self) -> Callable[[Any], AbstractAsyncContextManager[Any]] | None:
            return join_lifespans(held)  # type: ignore[return-value]

    app = Ohia()
    app.use(Late())
    held.append(Carrier("late", events))
    async with app.lifespan_context():
        assert events == ["late up"]
    assert events == ["late up", "late down"]


async def test_a_life_cannot_be_added_to_a_running_application_but_a_plain_one_can() -> None:
    app, events = Ohia(), Events()
    async with app.lifespan_context():
        with pytest.raises(RuntimeError, match="before the application starts"):
            app.use(Carrier("late", events))
        assert app.middleware == []
        app.use(compose(answer))
    assert events == []


async def test_a_failing_start_unwinds_what_is_inside_a_chain_too() -> None:
    app, events = Ohia(), Events()

    class Bad(Carrier):
        async def lifespan(self, app: Ohia) -> AsyncIterator[dict[str, str]]:
            raise OSError("no database")
            yield {}

    app.use(compose(Carrier("good", events), Bad("bad", events)))
    with pytest.raises(OSError, match="no database"):
        async with app.lifespan_context():
            pass
    assert events == ["good up"]


def test_what_cannot_be_entered_is_refused_at_use() -> None:
    async def middleware(ctx: Any, next: Any) -> None: ...

    async def wrong(app: Ohia) -> None: ...

    middleware.lifespan = wrong  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="needs a yield"):
        Ohia().use(middleware)


async def test_a_life_that_breaks_while_the_application_runs_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = Ohia()

    @app.lifespan
    async def connected(app: Ohia) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            lost = tasks.create_task(lose())
            yield
            lost.cancel()

    async def lose() -> None:
        raise ConnectionError("the database has gone")

    async def end() -> None:
        async with app.lifespan_context():
            while not (told := capsys.readouterr().err):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0)
            assert told.startswith("ohia: a lifespan ended while the application ran: ")

    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(end(), 5)
    assert raised.group_contains(ConnectionError, match="the database has gone")
