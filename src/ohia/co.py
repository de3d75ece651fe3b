"""Drives generators that `yield` what they wait for, as Koa's co does.

`drive` is the whole idea: it resumes the generator with the value of each thing it yielded, or
throws the error into it at the `yield`. It runs in the task of whoever awaits it; only lists,
tuples and dicts start tasks of their own, and none of these outlives the `yield`.
"""

import asyncio
import functools
import inspect
import reprlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any, ParamSpec, TypeGuard, TypeVar, cast, overload

__all__ = ["Thunk", "co", "drive", "is_generator", "thunk", "to_awaitable"]

# What generators yield and receive is known to them alone, hence Any throughout this module.
P = ParamSpec("P")
R = TypeVar("R")

MAY_YIELD = (
    "you may yield an awaitable, a generator, a generator or coroutine function, `next`, "
    "`thunk(fn)`, or a list, tuple, map or dict of these"
)


async def _nothing() -> None:
    """Stand for `next` where there is none."""


async def drive(
    generator: Generator[Any, Any, R],
    next: Callable[[], Awaitable[Any]] = _nothing,
    value: object = None,
    failure: BaseException | None = None,
) -> R:
    """Run `generator` to its end and return what it returns.

    Each yielded item is awaited as `to_awaitable` understands it; `next` itself is called first.
    Every error, cancellation too, is thrown into the generator at its `yield`. One that has begun
    goes on with `failure`, else with `value`.
    """
    try:
        while True:
            if failure is None:
                item = generator.send(value)
            else:
                item = None  # here and below: what holds the error would make a cycle with it
                try:
                    item = generator.throw(failure)
                finally:
                    failure = None
            try:
                value = await (next() if item is next else to_awaitable(item))
            except BaseException as error:  # noqa: BLE001 - the generator decides
                failure = error
    except StopIteration as stop:
        result: R = stop.value
        return result


def to_awaitable(item: Any) -> Awaitable[Any]:  # noqa: ANN401 - anything may be yielded
    """Return an awaitable for what a generator yielded; TypeError for what none can be made of."""
    if inspect.isawaitable(item):
        return item
    if _is_series(item) or _is_dict(item):
        return _all_of(_prepare(item))
    if is_generator(item):
        return drive(item)
    if inspect.isgeneratorfunction(item) or inspect.iscoroutinefunction(item):
        return to_awaitable(item())
    raise TypeError(_refusal(item))


def is_generator(value: object) -> TypeGuard[Generator[Any, Any, Any]]:
    """Say whether `value` is a generator to be driven (a generator expression is a list)."""
    return isinstance(value, Generator) and not _is_series(cast("object", value))


def _is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def _is_series(value: object) -> TypeGuard[Iterable[Any]]:
    """Say whether `value` stands for several items in a row."""
    if isinstance(value, (list, tuple, map)):
        return True
    return inspect.isgenerator(value) and value.gi_code.co_name == "<genexpr>"


def _refusal(item: Any) -> str:  # noqa: ANN401 - anything may be yielded
    """Return what to tell a generator that yielded `item`."""
    if item is None:
        return f"a bare `yield` (of None) waits for nothing: {MAY_YIELD}"
    if inspect.isasyncgen(item) or inspect.isasyncgenfunction(item):
        return f"cannot yield an async generator ({item.__name__}): collect it in an `async def`"
    if callable(item) and not isinstance(item, type):
        name = getattr(item, "__name__", reprlib.repr(item))
        return (
            f"cannot yield the plain function {name}: call it, or write `yield thunk({name})` "
            "if it takes a callback"
        )
    return f"cannot yield {reprlib.repr(item)} ({type(item).__name__}): {MAY_YIELD}"


# --- several at once -------------------------------------------------------------------------

# Among the items of a list these are mistakes; every other value that cannot wait passes as it is.
NEVER_PLAIN = (FunctionType, MethodType, BuiltinFunctionType, functools.partial, AsyncGeneratorType)


def _is_mistake(item: object) -> bool:
    return isinstance(item, NEVER_PLAIN) and not _can_wait(item)


def _can_wait(item: Any) -> bool:  # noqa: ANN401 - anything may be yielded
    return (
        inspect.isawaitable(item)
        or isinstance(item, (list, dict, Generator))
        or inspect.isgeneratorfunction(item)
        or inspect.iscoroutinefunction(item)
    )


def _prepare(item: Any) -> Any:  # noqa: ANN401 - anything may be yielded
    """Return `item` with each series in it, however deep, as a list.

    TypeError for what may not stand there; no coroutine is left behind un-awaited then.
    """
    if _is_dict(item):
        return dict(zip(item, _prepare_all(item.values()), strict=True))
    if _is_series(item):
        return _prepare_all(item)
    if _is_mistake(item):
        raise TypeError(_refusal(item))
    return item


def _prepare_all(items: Any) -> list[Any]:  # noqa: ANN401 - any iterable of anything
    prepared: list[Any] = []
    try:
        for each in items:
            prepared.append(_prepare(each))  # noqa: PERF401 - what came so far is needed below
    except BaseException:
        _discard(prepared)
        if not isinstance(items, (map, GeneratorType)):  # their rest was never made
            _discard(list(items))
        raise
    return prepared


def _discard(item: Any) -> None:  # noqa: ANN401 - anything may be yielded
    """Close the coroutines in `item` that never started, so that Python warns of none."""
    if inspect.iscoroutine(item):
        if inspect.getcoroutinestate(item) == inspect.CORO_CREATED:
            item.close()
    elif _is_dict(item):
        _discard(list(item.values()))
    elif isinstance(item, (list, tuple)):
        for each in cast("Iterable[Any]", item):
            _discard(each)


async def _all_of(items: Any) -> Any:  # noqa: ANN401 - a list gives a list, a dict a dict
    """Return the values of prepared `items`, all awaited at once; the first error cancels."""
    if _is_dict(items):
        return dict(zip(items, await _all_of(list(items.values())), strict=True))
    results = list(items)
    waiting = [index for index, each in enumerate(results) if _can_wait(each)]
    if waiting:
        await _Parallel(results, len(waiting)).run(waiting)
    return results


class _Parallel:
    """Awaits some of `results` side by side and puts their values in their places."""

    def __init__(self, results: list[Any], missing: int) -> None:
        self.results = results
        self.missing = missing
        self.failure: BaseException | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, waiting: list[int]) -> None:
        """Return when all values are there; raise the first error when the rest has ended."""
        items = [self.results[index] for index in waiting]
        tasks = [asyncio.create_task(self.attempt(index)) for index in waiting]
        try:
            await self.over
            await _stop(tasks)
        except GeneratorExit:  # the loop is gone: nobody can wait for them
            _cancel(tasks)
            raise
        except asyncio.CancelledError:
            await _stop(tasks)
            raise
        finally:
            _discard(items)
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise the first error, and keep it nowhere: it would hold itself by its traceback."""
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    async def attempt(self, index: int) -> None:
        """Fill one place. No error leaves here: SystemExit in a task would stop the loop."""
        try:
            self.results[index] = await to_awaitable(self.results[index])
        except BaseException as error:  # noqa: BLE001 - thrown into the generator
            self.finish(error)
            return
        self.missing -= 1
        if not self.missing:
            self.finish(None)

    def finish(self, failure: BaseException | None) -> None:
        if not self.over.done():
            self.failure = failure
            self.over.set_result(None)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel `tasks` and return when all have ended; being cancelled meanwhile tells them again."""
    cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        _cancel(pending)
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


# --- callbacks -------------------------------------------------------------------------------


class Thunk:
    """An awaitable that calls `fn(*args, callback)` whenever it is awaited."""

    def __init__(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args

    def __await__(self) -> Generator[Any, Any, Any]:
        answer = _Answer()
        self.fn(*self.args, answer)
        return answer.future.__await__()


class _Answer:
    """The callback `(err, *results)` of one call. The first answer counts."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.thread = threading.get_ident()

    def __call__(self, error: object = None, *results: Any) -> None:  # noqa: ANN401 - the caller's
        if threading.get_ident() == self.thread:
            self.settle(error, results)
            return
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.settle, error, results)

    def settle(self, error: object, results: tuple[Any, ...]) -> None:
        if self.future.done():
            return
        if isinstance(error, BaseException) or error:
            self.future.set_exception(_as_exception(error))
        elif len(results) > 1:
            self.future.set_result(list(results))
        else:
            self.future.set_result(results[0] if results else None)


def _as_exception(error: object) -> BaseException:
    """Return `error` as something to raise; a future takes no StopIteration."""
    if isinstance(error, BaseException) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the callback was given the error {reprlib.repr(error)}")


def _is_thunkless(fn: object) -> bool:
    """Say whether `fn` never calls back."""
    return not callable(fn) or inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn)


def thunk(fn: Callable[..., object], *args: Any) -> Thunk:  # noqa: ANN401 - for `fn`
    """Make a function that takes a callback yieldable and awaitable: `fn(*args, callback)`.

    The callback is `callback(err, *results)`: a true `err` is raised, one result is the value,
    several become a list. Only the first call counts, and it may come from any thread.

    >>> async def answer() -> int:
    ...     return await thunk(lambda callback: callback(None, 42))
    >>> asyncio.run(answer())
    42
    """
    if _is_thunkless(fn):
        raise TypeError(f"thunk() takes a plain function that calls back, got {reprlib.repr(fn)}")
    return Thunk(fn, args)


# --- co itself -------------------------------------------------------------------------------


async def _run(subject: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return the value of what `subject`, called where it can be, comes to."""
    if callable(subject) and not inspect.isawaitable(subject):
        subject = subject(*args, **options)
    elif args or options:
        raise TypeError(f"co() got arguments for {reprlib.repr(subject)}, which is not called")
    if inspect.isawaitable(subject):
        return await subject
    if is_generator(subject):
        return await drive(subject)
    return subject


class _Co:
    """The type of `co`: a function with the attribute `wrap`."""

    __name__ = "co"

    @overload
    def __call__(
        self, subject: Callable[P, Generator[Any, Any, R]], *args: P.args, **options: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(
        self, subject: Callable[P, Awaitable[R]], *args: P.args, **options: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(
        self, subject: Callable[P, R], *args: P.args, **options: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(self, subject: Generator[Any, Any, R]) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(self, subject: Awaitable[R]) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(self, subject: R) -> Coroutine[Any, Any, R]: ...
    def __call__(self, subject: Any, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        """Run a generator, or what a function called with the arguments gives, to its end.

        Awaitables are awaited, any other value is returned as it is. Nothing runs before the
        result is awaited (or made a task).

        >>> def double(number: int) -> Generator[Any, Any, int]:
        ...     yield asyncio.sleep(0)
        ...     return 2 * number
        >>> asyncio.run(co(double, 21))
        42
        """
        return _run(subject, args, options)

    @overload
    def wrap(
        self, fn: Callable[P, Generator[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def wrap(self, fn: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def wrap(self, fn: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def wrap(self, fn: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return a coroutine function that runs `fn` by `co`; usable as a decorator."""
        if not callable(fn):
            raise TypeError(f"co.wrap() takes a function, got {reprlib.repr(fn)}")

        @functools.wraps(fn)
        async def wrapped(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - as `fn`
            return await _run(fn, args, options)

        return wrapped


co: _Co = _Co()
