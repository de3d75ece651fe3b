"""Functions of users that nothing awaits: they answer at once, or say that they cannot."""

import asyncio
import gc
import warnings
from functools import partial
from typing import Any

import pytest

from ohia.plain import plain


async def later(*_: object) -> bool:
    return False


class Later:
    async def __call__(self) -> bool:
        return False


def test_a_plain_function_stays_what_it_is() -> None:
    def add(a: int, *, b: int) -> int:
        return a + b

    asked = plain("add", add)
    assert (asked(1, b=2), asked.__name__) == (3, "add")


@pytest.mark.parametrize("function", [later, Later(), partial(later, 1)])
def test_an_async_function_is_refused_at_once(function: Any) -> None:
    with pytest.raises(TypeError, match="skip is a plain function, got the async"):
        plain("skip", function)


def test_an_awaitable_is_refused_at_the_call_and_leaves_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="skip is a plain function, got an awaitable"):
            _ = plain("skip", lambda *_: later())()
        gc.collect()


async def test_what_goes_on_by_itself_may_be_let_through() -> None:
    def start() -> "asyncio.Task[bool]":
        return asyncio.create_task(later())

    assert await plain("write", start, futures=True)() is False
    task = start()
    with pytest.raises(TypeError, match="got an awaitable"):
        plain("skip", lambda: task)()
    await task


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="skip is a function, got 'x'"):
        plain("skip", "x")  # type: ignore[arg-type]
