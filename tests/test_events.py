import asyncio
import functools
import io
import sys
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from ohia.events import Emitter


def test_listeners_run_at_once_in_order_and_emit_says_whether_there_were_any() -> None:
    emitter, heard = Emitter(), list[object]()
    assert emitter.emit("news", 1) is False
    emitter.on("news", lambda value: heard.append(("first", value)))
    emitter.on("news", lambda value: heard.append(("second", value)))
    assert emitter.emit("news", 2) is True
    assert emitter.emit("other", 3) is False
    assert heard == [("first", 2), ("second", 2)]


def test_on_and_once_are_decorators_that_return_the_function() -> None:
    emitter, heard = Emitter(), list[str]()

    @emitter.on("news")
    def always() -> None:
        heard.append("always")

    @emitter.once("news")
    def first() -> None:
        heard.append("first")

    def by_hand() -> None:
        heard.append("by hand")

    assert emitter.on("news", by_hand) is by_hand
    emitter.emit("news")
    emitter.emit("news")
    assert heard == ["always", "first", "by hand", "always", "by hand"]
    assert (always.__name__, first.__name__) == ("always", "first")


class Method:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def none(self) -> None:
        self.heard.append(())

    def one(self, error: object) -> None:
        self.heard.append((error,))

    def two(self, error: object, ctx: object = "default") -> None:
        self.heard.append((error, ctx))

    def keyword(self, error: object, *, ctx: object = "default") -> None:
        self.heard.append((error, ctx))

    def any(self, *args: object) -> None:
        self.heard.append(args)

    def __call__(self, error: object) -> None:
        self.heard.append((error,))


@pytest.mark.parametrize(
    ("name", "heard"),
    [
        ("none", ()),
        ("one", ("error",)),
        ("two", ("error", "ctx")),
        ("keyword", ("error", "default")),
        ("any", ("error", "ctx", "more")),
        ("__call__", ("error",)),
    ],
)
def test_a_listener_gets_as_many_arguments_as_it_takes(
    name: str, heard: tuple[object, ...]
) -> None:
    emitter, listener = Emitter(), Method()
    emitter.on("error", getattr(listener, name))
    emitter.on("error", functools.partial(getattr(listener, name)))
    emitter.emit("error", "error", "ctx", "more")
    assert listener.heard == [heard, heard]


def test_a_built_in_listener_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    emitter = Emitter()
    emitter.on("news", print)
    emitter.on("news", max)
    emitter.emit("news", 1, 2)
    assert capsys.readouterr() == ("1 2\n", "")


def test_off_takes_back_the_newest_registration_and_ignores_strangers() -> None:
    emitter, listener = Emitter(), Method()
    emitter.on("news", listener.none)
    emitter.once("news", listener.none)
    emitter.off("news", listener.one)
    emitter.off("nothing", listener.none)
    assert emitter.listener_count("news") == 2
    emitter.off("news", listener.none)
    emitter.emit("news")
    emitter.emit("news")
    assert listener.heard == [(), ()]
    emitter.off("news", listener.none)
    assert emitter.listener_count("news") == 0
    assert emitter.emit("news") is False


def test_once_is_counted_until_it_ran() -> None:
    emitter = Emitter()
    emitter.once("news", lambda: None)
    assert emitter.listener_count("news") == 1
    assert emitter.emit("news") is True
    assert emitter.listener_count("news") == 0
    assert emitter.emit("news") is False


def test_once_runs_once_even_when_its_event_is_emitted_meanwhile() -> None:
    emitter, heard = Emitter(), list[str]()

    def again() -> None:
        emitter.off("news", again)
        emitter.emit("news")

    def first() -> None:
        heard.append("first")
        emitter.emit("news")

    emitter.on("news", again)
    emitter.once("news", first)
    emitter.emit("news")
    assert heard == ["first"]


def test_on_and_off_during_an_emit_count_from_the_next_one() -> None:
    emitter, heard = Emitter(), list[str]()

    def last() -> None:
        heard.append("last")

    def added() -> None:
        heard.append("added")

    def changes() -> None:
        emitter.off("news", changes)
        emitter.off("news", last)
        emitter.on("news", added)

    emitter.on("news", changes)
    emitter.on("news", last)
    emitter.emit("news")
    assert heard == ["last"]
    emitter.emit("news")
    assert heard == ["last", "added"]


class Failing:
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    "error", [ValueError("own failure"), SystemExit("own failure"), asyncio.CancelledError()]
)
def test_a_failing_listener_is_reported_and_stops_nothing(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    emitter, heard = Emitter(), list[str]()

    def fails() -> None:
        raise error

    emitter.on("news", fails)
    emitter.on("news", lambda: heard.append("after"))
    assert emitter.emit("news") is True
    assert heard == ["after"]
    report = capsys.readouterr().err
    assert report.startswith("a listener for 'news' failed:\nTraceback")
    assert "in fails" in report


def test_a_listener_that_needs_more_than_was_emitted_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emitter = Emitter()
    emitter.on("news", lambda _error, _ctx: None)
    emitter.emit("news", 1)
    assert "missing 1 required positional argument" in capsys.readouterr().err


def test_a_report_survives_a_closed_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    emitter = Emitter()
    emitter.on("news", lambda: 1 // 0)
    assert emitter.emit("news") is True


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("listener", [3, "name", generator, async_generator])
def test_what_cannot_listen_is_refused(listener: Any) -> None:
    emitter = Emitter()
    for register in (emitter.on, emitter.once):
        with pytest.raises(TypeError, match="a listener must be a"):
            register("news", listener)
        with pytest.raises(TypeError, match="a listener must be a"):
            register("news")(listener)


async def test_async_listeners_become_tasks_that_settle_waits_for() -> None:
    emitter, heard = Emitter(), list[str]()
    go_on = asyncio.Event()

    @emitter.on("news")
    async def slow(value: str) -> None:
        await go_on.wait()
        heard.append(value)

    assert emitter.emit("news", "a") is True
    emitter.on("go", go_on.set)
    settling = asyncio.ensure_future(emitter.settle())
    await asyncio.sleep(0)
    assert not settling.done()
    emitter.emit("news", "b")  # begun meanwhile
    emitter.emit("go")
    await settling
    assert sorted(heard) == ["a", "b"]
    await emitter.settle()


async def test_settle_waits_for_a_task_that_is_held() -> None:
    emitter, done = Emitter(), list[str]()
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.append("work")

    emitter.hold(asyncio.create_task(work()))
    asyncio.get_running_loop().call_soon(go_on.set)
    await emitter.settle()
    assert done == ["work"]


async def test_a_listener_may_wait_for_the_others_to_settle() -> None:
    emitter, heard = Emitter(), list[str]()

    async def waits() -> None:
        await emitter.settle()
        heard.append("settled")

    emitter.on("news", waits)
    emitter.emit("news")
    await emitter.settle()
    assert heard == ["settled"]


async def test_a_plain_listener_may_return_something_to_await() -> None:
    emitter, heard = Emitter(), list[str]()

    async def later() -> None:
        heard.append("later")

    emitter.on("news", lambda: asyncio.ensure_future(later()))
    emitter.emit("news")
    await emitter.settle()
    assert heard == ["later"]


@pytest.mark.parametrize(
    "error", [ValueError("own"), SystemExit("own"), asyncio.CancelledError("own")]
)
async def test_a_failing_async_listener_is_reported_and_stops_nothing(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    emitter = Emitter()

    @emitter.on("news")
    async def fails() -> None:
        raise error

    emitter.emit("news")
    await emitter.settle()
    report = capsys.readouterr().err
    assert report.startswith("a listener for 'news' failed:\nTraceback")
    assert "in fails" in report


async def test_a_listener_that_is_cancelled_from_outside_ends_quietly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emitter, before = Emitter(), asyncio.all_tasks()

    @emitter.on("news")
    async def waits() -> None:
        await asyncio.Event().wait()

    emitter.emit("news")
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await emitter.settle()
    assert capsys.readouterr().err == ""


def test_without_a_loop_an_async_listener_runs_to_its_end_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emitter, heard = Emitter(), list[str]()

    @emitter.on("news")
    async def listens(value: str) -> None:
        await asyncio.sleep(0)
        heard.append(value)
        raise ValueError

    assert emitter.emit("news", "a") is True
    assert heard == ["a"]
    assert "ValueError" in capsys.readouterr().err


def test_what_another_loop_left_behind_is_not_waited_for() -> None:
    emitter = Emitter()
    emitter.on("news", lambda: asyncio.Event().wait())

    async def emits() -> None:
        emitter.emit("news")

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(emits())
        asyncio.run(emitter.settle())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(emitter.settle())
    finally:
        loop.close()


async def test_an_async_listener_sees_the_context_of_the_emit() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    emitter, heard = Emitter(), list[str]()

    @emitter.on("news")
    async def listens() -> None:
        heard.append(variable.get())

    variable.set("here")
    emitter.emit("news")
    variable.set("there")
    await emitter.settle()
    assert heard == ["here"]


async def test_settle_cancels_what_does_not_end_in_time() -> None:
    emitter = Emitter()
    ends: list[str] = []

    @emitter.on("x")
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    emitter.emit("x")
    await asyncio.sleep(0)
    await emitter.settle(timeout=0)
    assert ends == ["cancelled"]
