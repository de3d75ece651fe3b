"""Named events and their listeners."""

import asyncio
import functools
from typing import Any

import pytest

from ohia.events import Emitter


def test_emit_says_whether_anyone_listened() -> None:
    emitter = Emitter()
    calls: list[Any] = []
    assert emitter.emit("x", 1) is False
    assert emitter.on("x", calls.append) == calls.append
    assert emitter.emit("x", 1) is True
    assert (calls, emitter.listener_count("x"), emitter.listener_count("y")) == ([1], 1, 0)


def test_on_and_once_are_decorators_too() -> None:
    emitter = Emitter()
    calls: list[str] = []

    @emitter.on("x")
    def always() -> None:
        calls.append("always")

    @emitter.once("x")
    def only() -> None:
        calls.append("only")

    emitter.emit("x")
    emitter.emit("x")
    assert calls == ["always", "only", "always"]


@pytest.mark.parametrize(
    ("listener", "got"),
    [
        (lambda: (), ()),
        (lambda a: (a,), (1,)),
        (lambda a, b=9: (a, b), (1, 2)),
        (lambda *args: args, (1, 2)),
        (lambda a, *, key=3: (a, key), (1, 3)),
    ],
)
def test_a_listener_gets_as_many_arguments_as_it_can_take(listener: Any, got: Any) -> None:
    emitter = Emitter()
    seen: list[Any] = []

    def wrap(function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any) -> None:
            seen.append(function(*args))

        return wrapped

    emitter.on("x", wrap(listener))
    emitter.emit("x", 1, 2)
    assert seen == [got]


def test_once_fires_once_even_when_it_emits_again() -> None:
    emitter = Emitter()
    calls: list[int] = []

    def again() -> None:
        calls.append(1)
        emitter.emit("x")

    emitter.once("x", again)
    emitter.emit("x")
    assert calls == [1]


def test_off_takes_back_the_newest() -> None:
    emitter = Emitter()
    calls: list[int] = []
    emitter.on("x", calls.append)
    emitter.once("x", calls.append)
    emitter.off("x", calls.append)
    emitter.off("y", calls.append)
    emitter.emit("x", 1)
    emitter.emit("x", 2)
    assert calls == [1, 2]


def test_off_during_emit_is_safe() -> None:
    emitter = Emitter()
    calls: list[str] = []

    def first() -> None:
        emitter.off("x", first)
        calls.append("first")

    emitter.on("x", first)
    emitter.on("x", lambda: calls.append("second"))
    emitter.emit("x")
    emitter.emit("x")
    assert calls == ["first", "second", "second"]


def test_a_failing_listener_is_reported_and_stops_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emitter = Emitter()
    calls: list[str] = []

    def broken() -> None:
        raise SystemExit(3)

    emitter.on("x", broken)
    emitter.on("x", lambda: calls.append("second"))
    assert emitter.emit("x") is True
    assert calls == ["second"]
    err = capsys.readouterr().err
    assert "a listener for 'x' failed" in err
    assert "SystemExit" in err


async def test_async_listeners_are_tasks_that_settle_waits_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emitter = Emitter()
    calls: list[str] = []

    @emitter.on("x")
    async def slow() -> None:
        await asyncio.sleep(0)
        calls.append("slow")

    @emitter.on("x")
    async def broken() -> None:
        raise ValueError("late")

    emitter.emit("x")
    assert calls == []
    await emitter.settle()
    assert calls == ["slow"]
    assert "late" in capsys.readouterr().err


def test_without_a_loop_an_async_listener_runs_to_its_end() -> None:
    emitter = Emitter()
    calls: list[str] = []

    @emitter.on("x")
    async def slow() -> None:
        await asyncio.sleep(0)
        calls.append("slow")

    emitter.emit("x")
    assert calls == ["slow"]


async def generator() -> Any:
    yield


@pytest.mark.parametrize("listener", [5, "x", generator])
def test_what_cannot_listen_is_refused(listener: Any) -> None:
    with pytest.raises(TypeError, match="listener must be"):
        Emitter().on("x", listener)
