"""What the author of a middleware forgot, told outside production."""

import asyncio
import functools
import gc
from collections.abc import Callable, Generator
from typing import Any

import pytest

from ohia.compose import compose
from ohia.types import Next

Log = list[Any]


def wrapper_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as users do: what comes out is plain, and its kind is known only by calling it."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **options: Any) -> Any:
        return fn(*args, **options)

    return wrapped


async def awaits(ctx: Log, next: Next) -> None:
    await next()


def yields(ctx: Log, next: Next) -> Generator[Any, Any, None]:
    yield next


async def answer(ctx: Log) -> str:
    return "answer"


async def forgets_to_await(ctx: Log, next: Next) -> None:
    next()  # type: ignore[unused-coroutine,unused-ignore]  # the mistake in question


async def forgets_in_a_return(ctx: Log, next: Next) -> object:
    return next()


async def returns_next_itself(ctx: Log, next: Next) -> object:
    return next


def forgets_to_yield(ctx: Log, next: Next) -> Generator[Any, Any, None]:
    next()
    yield answer(ctx)


def returns_from_a_generator(ctx: Log, next: Next) -> Generator[Any, Any, object]:
    yield answer(ctx)
    return next()


def forgets_to_return(ctx: Log, next: Next) -> None:
    next()


async def forgets_something_else(ctx: Log, next: Next) -> object:
    await next()
    return answer(ctx)


def driven() -> Generator[Any, Any, None]:
    yield


async def forgets_a_generator(ctx: Log, next: Next) -> object:
    return driven()


def forgets_another_generator(ctx: Log, next: Next) -> Generator[Any, Any, object]:
    yield next
    return driven()


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (forgets_to_await, "called next() without awaiting it: write `await next()`"),
        (forgets_in_a_return, "returned next() without awaiting it: write `return await next()`"),
        (returns_next_itself, "returned next() without awaiting it: write `return await next()`"),
        (forgets_to_yield, "called next() without awaiting it: write `yield next`"),
        (
            returns_from_a_generator,
            "returned next() without awaiting it: write `return (yield next())`",
        ),
        (forgets_to_return, "called next() without awaiting it: write `return next()`"),
        (
            wrapper_of(forgets_to_await),
            "called next() without awaiting it: write `await next()`",
        ),
        (
            forgets_something_else,
            "returned answer() without awaiting it: write `return await answer()`",
        ),
        (
            forgets_a_generator,
            "returned driven() without awaiting it: write `return await driven()`",
        ),
        (
            forgets_another_generator,
            "returned driven() without awaiting it: write `return (yield driven())`",
        ),
    ],
)
async def test_a_forgotten_await_is_named_outside_production(middleware: Any, message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        await compose(awaits, middleware, yields, checked=True)([])
    assert str(caught.value) == f"{middleware.__name__} {message}"
    gc.collect()  # a RuntimeWarning would fail the test here


async def test_downstream_left_running_in_a_task_is_named() -> None:
    tasks: list[asyncio.Future[Any]] = []
    release = asyncio.Event()

    async def hurries(ctx: Log, next: Next) -> None:
        tasks.append(asyncio.ensure_future(next()))
        if ctx:
            await asyncio.sleep(0)  # the task begins, and waits

    async def waits(ctx: Log) -> str:
        await release.wait()
        return "done"

    for begun in ([], ["begun"]):
        with pytest.raises(RuntimeError, match=r"^hurries returned before what its next\(\) began"):
            await compose(hurries, waits, checked=True)(begun)
    release.set()
    assert await asyncio.gather(*tasks) == ["done", "done"]  # it was left alone


@pytest.mark.parametrize("middleware", [forgets_to_await, forgets_to_yield])
async def test_an_own_error_goes_on_untouched_by_the_check(middleware: Any) -> None:
    error = ValueError("own")

    def fails(ctx: Log, next: Next) -> None:
        next()
        raise error

    async def fails_too(ctx: Log, next: Next) -> None:
        fails(ctx, next)

    for each in (fails, fails_too):
        with pytest.raises(ValueError, match="own") as caught:
            await compose(each, awaits, checked=True)([])
        assert caught.value is error
        assert error.__context__ is None
    gc.collect()


async def test_awaiting_what_fails_downstream_is_no_oversight() -> None:
    async def fails(ctx: Log) -> None:
        raise ValueError

    async def forgives(ctx: Log, next: Next) -> str:
        try:
            await next()
        except ValueError:
            return "forgiven"
        return "missed"

    assert await compose(forgives, fails, checked=True)([]) == "forgiven"


async def test_downstream_that_was_cut_off_is_no_oversight() -> None:
    async def gives_up(ctx: Log, next: Next) -> str:
        task = asyncio.ensure_future(next())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return "gave up"

    async def waits(ctx: Log) -> None:
        await asyncio.Event().wait()

    assert await compose(gives_up, waits, checked=True)([]) == "gave up"


def test_the_check_works_without_a_loop() -> None:
    coroutine = compose(forgets_to_await, awaits, checked=True)([])
    with pytest.raises(RuntimeError, match="forgets_to_await"):
        coroutine.send(None)
