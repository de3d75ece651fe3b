"""Generators that yield what they wait for."""

import asyncio
import contextvars
from typing import Any

import pytest

from ohia.co import co, thunk


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def failing() -> None:
    await asyncio.sleep(0)
    raise ValueError("failed")


def gen(value: Any) -> Any:
    return (yield later(value))


def no_argument() -> Any:
    return (yield later("called"))


async def coroutine_function() -> str:
    return "called"


def answering(callback: Any) -> None:
    callback(None, "one")


def answering_twice(callback: Any) -> None:
    callback(None, 1, 2)
    callback(None, 3)


async def of(item: Any) -> Any:
    """Return what a generator gets for yielding `item`."""

    def run() -> Any:
        return (yield item)

    return await co(run)


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: later(1), 1),
        (lambda: gen(2), 2),
        (lambda: no_argument, "called"),
        (lambda: coroutine_function, "called"),
        (lambda: thunk(answering), "one"),
        (lambda: thunk(answering_twice), [1, 2]),
        (list, []),
        (dict, {}),
        (lambda: [later(1), gen(2), 3, "x", None], [1, 2, 3, "x", None]),
        (lambda: (later(1), later(2)), [1, 2]),
        (lambda: map(later, [1, 2]), [1, 2]),
        (lambda: (later(each) for each in [1, 2]), [1, 2]),
        (lambda: {"a": later(1), "b": 2}, {"a": 1, "b": 2}),
        (lambda: [{"a": [later(1)]}, [gen(2)]], [{"a": [1]}, [2]]),
    ],
    ids=repr,
)
async def test_what_may_be_yielded(make: Any, value: Any) -> None:
    found = await of(make())
    assert (list(found) if isinstance(found, tuple) else found) == value


@pytest.mark.parametrize("item", [None, 5, "text", True, 1.5, object(), len, lambda: None])
async def test_anything_else_is_thrown_back_into_the_generator(item: Any) -> None:
    caught: list[str] = []

    def run() -> Any:
        try:
            yield item
        except TypeError as error:
            caught.append(str(error))
        return (yield later("went on"))

    assert await co(run) == "went on"
    assert "yield" in caught[0]


async def test_an_error_arrives_at_the_yield() -> None:
    def run() -> Any:
        try:
            yield failing()
        except ValueError as error:
            return str(error)

    assert await co(run) == "failed"


async def test_the_first_failure_cancels_the_rest_and_comes_as_it_is() -> None:
    cancelled: list[bool] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    def run() -> Any:
        yield [forever(), failing(), forever()]

    with pytest.raises(ValueError, match="failed"):
        await co(run)
    assert cancelled == [True, True]


async def test_parallel_means_at_once() -> None:
    order: list[str] = []

    async def step(name: str) -> None:
        order.append(f"> {name}")
        await asyncio.sleep(0)
        order.append(f"< {name}")

    await of([step("a"), step("b")])
    assert order == ["> a", "> b", "< a", "< b"]


async def test_finally_runs_when_the_task_is_cancelled() -> None:
    events: list[str] = []
    started = asyncio.Event()

    def run() -> Any:
        try:
            started.set()
            yield asyncio.Event().wait()
        finally:
            events.append("finally")

    task = asyncio.create_task(co(run))
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["finally"]


async def test_a_single_yield_runs_in_the_same_task() -> None:
    async def current() -> Any:
        return asyncio.current_task()

    assert await of(current()) is asyncio.current_task()


async def test_context_variables_pass_both_ways() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def change() -> None:
        variable.set("changed")

    def run() -> Any:
        yield change()
        return variable.get()

    assert await co(run) == "changed"
    assert variable.get() == "changed"


async def test_arguments_and_wrap() -> None:
    def add(a: int, b: int) -> Any:
        return (yield later(a + b))

    assert await co(add, 1, 2) == 3
    wrapped = co.wrap(add)
    assert await wrapped(3, 4) == 7
    assert wrapped.__name__ == "add"


async def test_yield_from_delegates() -> None:
    def outer() -> Any:
        return (yield from gen("inner"))

    assert await co(outer) == "inner"


async def test_a_thunk_may_answer_with_an_error_or_from_a_thread() -> None:
    def refuse(callback: Any) -> None:
        callback(OSError("no"))

    with pytest.raises(OSError, match="no"):
        await of(thunk(refuse))

    def from_a_thread(callback: Any) -> None:
        asyncio.get_running_loop().run_in_executor(None, callback, None, "threaded")

    assert await of(thunk(from_a_thread)) == "threaded"
