import asyncio
import contextlib
import functools
import gc
import inspect
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.co import co, thunk

Driven = Generator[Any, Any, Any]


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def triple(number: int) -> Driven:
    yield double(number)
    return 3 * number


async def two() -> int:
    return 2


def three() -> Driven:
    return (yield triple(1))


class Four:
    def __await__(self) -> Generator[Any, None, int]:
        yield from asyncio.sleep(0).__await__()
        return 4


def calls_back(*answer: Any) -> Callable[[Callable[..., object]], object]:
    return lambda callback: callback(*answer)


def plain(value: int) -> int:
    return value


async def async_generator() -> AsyncIterator[int]:
    yield 1


def yielding(item: Any) -> Driven:
    return (yield item)


def made_inside(make: Callable[[], Any]) -> Driven:
    return (yield make())


# --- one thing ---


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: double(1), 2),
        (lambda: asyncio.ensure_future(double(1)), 2),
        (lambda: Four(), 4),  # noqa: PLW0108 - one per test
        (lambda: triple(2), 6),
        (lambda: three, 3),
        (lambda: two, 2),
        (lambda: functools.partial(double, 2), 4),
        (lambda: functools.partial(triple, 2), 6),
        (lambda: co(triple, 3), 9),
        (lambda: thunk(calls_back(None, 5)), 5),
        (list, []),
        (dict, {}),
        (tuple, []),
    ],
)
async def test_the_value_of_a_yield_is_what_it_waited_for(
    make: Callable[[], Any], value: object
) -> None:
    assert await co(made_inside, make) == value


async def test_yield_from_delegates_to_another_generator() -> None:
    def delegates() -> Driven:
        return (yield from triple(2))

    assert await co(delegates) == 6


async def test_one_awaitable_runs_in_the_same_task() -> None:
    async def where() -> object:
        return asyncio.current_task()

    assert await co(yielding, where()) is asyncio.current_task()


# --- several at once ---


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: [double(1), double(2)], [2, 4]),
        (lambda: (double(1), triple(1)), [2, 3]),
        (lambda: map(double, [1, 2, 3]), [2, 4, 6]),
        (lambda: (double(each) for each in (3, 1)), [6, 2]),
        (lambda: [two, three, Four(), thunk(calls_back(None, 5))], [2, 3, 4, 5]),
        (lambda: {"b": double(1), "a": triple(1)}, {"b": 2, "a": 3}),
        (lambda: {2: double(1), None: 0}, {2: 2, None: 0}),
        (lambda: [double(1), 7, "text", None, b"", 0.5, int], [2, 7, "text", None, b"", 0.5, int]),
        (lambda: [1, 2], [1, 2]),
        (lambda: [[], {}, ()], [[], {}, []]),
        (
            lambda: {"a": [double(1), {"b": (triple(1), "c")}], "d": map(double, [2])},
            {"a": [2, {"b": [3, "c"]}], "d": [4]},
        ),
        (lambda: [double(1), double(1)], [2, 2]),
    ],
)
async def test_series_and_dicts_are_awaited_keeping_their_shape(
    make: Callable[[], Any], value: object
) -> None:
    given = await co(made_inside, make)
    assert given == value
    if isinstance(value, dict):
        assert list(given) == list(value)


async def test_the_items_of_a_list_wait_for_one_another() -> None:
    together = asyncio.Barrier(4)

    async def meet() -> None:
        await together.wait()

    def meet_in_a_generator() -> Driven:
        yield together.wait()

    def all_of_them() -> Driven:
        yield [meet(), meet_in_a_generator, {"deep": [meet(), meet_in_a_generator()]}]
        return "met"

    assert await co(all_of_them) == "met"


async def test_the_yielded_list_itself_is_left_alone() -> None:
    coroutine = double(1)
    items = [coroutine, [2]]
    await co(yielding, items)
    assert items == [coroutine, [2]]


class Watched:
    """Counts who began and who was cleaned up."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def waits(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended.append("coroutine")

    def waits_in_a_generator(self) -> Driven:
        try:
            yield asyncio.Event().wait()
        finally:
            yield asyncio.sleep(0)
            self.ended.append("generator")


async def fails(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), asyncio.CancelledError("x"), SystemExit(1), KeyboardInterrupt()],
)
async def test_the_first_failure_ends_the_rest_and_is_thrown_at_the_yield(
    error: BaseException,
) -> None:
    watched, before = Watched(), asyncio.all_tasks()

    def tries() -> Driven:
        try:
            yield [watched.waits(), {"deep": [fails(error), watched.waits_in_a_generator]}]
        except BaseException as caught:  # noqa: BLE001 - all sorts are tried
            return caught, sorted(watched.ended)

    assert await co(tries) == (error, ["coroutine", "generator"])
    assert asyncio.all_tasks() == before
    assert error.__context__ is None


async def test_of_two_failures_the_first_counts() -> None:
    def tries() -> Driven:
        with pytest.raises(ValueError, match="first"):
            yield [fails(ValueError("first")), fails(KeyError("second"))]
        return (yield two())

    assert await co(tries) == 2


async def test_cancelling_ends_the_items_before_it_arrives() -> None:
    watched = Watched()

    def waits() -> Driven:
        yield [watched.waits(), [watched.waits_in_a_generator()]]

    task = asyncio.ensure_future(co(waits))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(watched.ended) == ["coroutine", "generator"]


async def test_cancelling_again_during_the_cleanup_still_waits_for_it() -> None:
    cleaning, go_on = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def is_slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await go_on.wait()
            ended.append("slow")

    task = asyncio.ensure_future(co(yielding, [is_slow_to_end()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await cleaning.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["slow"]


async def test_cancelling_while_a_failure_is_cleaned_up_arrives_instead() -> None:
    cleaning = asyncio.Event()

    async def is_slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(co(yielding, [is_slow_to_end(), fails(ValueError("x"))]))
    await cleaning.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_around_parallel_items_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await co(yielding, [asyncio.Event().wait(), double(1)])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_items_cancelled_before_they_began_leave_no_warning() -> None:
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(co(yielding, [[double(1)], double(2)]))
    await asyncio.sleep(0)
    for each in asyncio.all_tasks() - before:
        each.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()  # a RuntimeWarning would fail the test here


async def test_closing_before_the_end_ends_the_generator_and_its_items() -> None:
    watched, before = Watched(), asyncio.all_tasks()
    ended: list[str] = []

    def waits() -> Driven:
        try:
            yield [watched.waits()]
        finally:
            ended.append("generator")

    coroutine = co(waits)
    coroutine.send(None)
    items = asyncio.all_tasks() - before
    await asyncio.sleep(0)
    coroutine.close()
    assert ended == ["generator"]
    await asyncio.wait(items)
    assert watched.ended == ["coroutine"]


# --- what may not be yielded ---


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (None, "a bare `yield`"),
        (1, r"cannot yield 1 \(int\): you may yield an awaitable"),
        (0, r"cannot yield 0 \(int\)"),
        (True, r"cannot yield True \(bool\)"),
        ("text", r"cannot yield 'text' \(str\)"),
        ("", r"cannot yield '' \(str\)"),
        (b"bytes", r"cannot yield b'bytes' \(bytes\)"),
        (2.5, r"cannot yield 2.5 \(float\)"),
        ({1, 2}, r"cannot yield {1, 2} \(set\)"),
        (range(2), r"cannot yield range\(0, 2\) \(range\)"),
        (object, r"cannot yield <class 'object'> \(type\)"),
        (plain, r"the plain function plain: call it, or write `yield thunk\(plain\)`"),
        (print, r"the plain function print: call it"),
        ("x" * 10_000, r"cannot yield 'x+\.\.\.x+' \(str\)"),
        (async_generator, r"an async generator \(async_generator\)"),
        ([two, plain], r"the plain function plain"),
        ({"deep": [[plain]]}, r"the plain function plain"),
        (functools.partial(plain, 1), "the plain function"),
    ],
)
async def test_anything_else_is_a_type_error_in_the_generator(item: object, words: str) -> None:
    def tries() -> Driven:
        with pytest.raises(TypeError, match=words):
            yield item
        return (yield two())

    assert await co(tries) == 2


async def test_an_async_generator_object_is_refused() -> None:
    def tries() -> Driven:
        with pytest.raises(TypeError, match="an async generator"):
            yield async_generator()
        with pytest.raises(TypeError, match="an async generator"):
            yield [async_generator()]

    await co(tries)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [double(1), plain, double(2), [double(3)]],
        lambda: {"a": [double(1)], "b": plain, "c": double(2)},
        lambda: [map(double, [1]), (double(2), plain), double(3)],
        lambda: (double(each) if each else plain for each in (1, 0)),
        lambda: (double(1 // each) for each in (1, 0)),
    ],
)
async def test_a_refused_list_leaves_no_coroutine_behind(make: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ZeroDivisionError)):
        await co(made_inside, make)
    gc.collect()  # a RuntimeWarning would fail the test here


async def test_a_generator_function_that_needs_arguments_fails_at_the_yield() -> None:
    def tries() -> Driven:
        with pytest.raises(TypeError, match="number"):
            yield triple
        with pytest.raises(TypeError, match="number"):
            yield [double]

    await co(tries)


# --- errors and ends ---


async def test_an_error_is_thrown_at_the_yield_and_may_be_caught() -> None:
    def tries() -> Driven:
        try:
            yield fails(ValueError("x"))
        except ValueError as error:
            return str(error), (yield two())

    assert await co(tries) == ("x", 2)


async def test_an_error_is_not_the_context_of_what_is_raised_later() -> None:
    def tries() -> Driven:
        with contextlib.suppress(ValueError):
            yield fails(ValueError("over and done"))
        raise KeyError("later")

    with pytest.raises(KeyError) as caught:
        await co(tries)
    assert caught.value.__context__ is None


async def test_finally_may_wait_too() -> None:
    ended: list[int] = []

    def tries() -> Driven:
        try:
            yield fails(ValueError("x"))
        finally:
            ended.append((yield two()))

    with pytest.raises(ValueError, match="x"):
        await co(tries)
    assert ended == [2]


async def test_cancellation_is_thrown_at_the_yield() -> None:
    def waits() -> Driven:
        try:
            yield asyncio.Event().wait()
        except asyncio.CancelledError:
            yield asyncio.sleep(0)
            return "ended in peace"

    task = asyncio.ensure_future(co(waits))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "ended in peace"


async def test_a_generator_that_raises_stop_iteration_fails_as_python_says() -> None:
    def raises() -> Driven:
        yield two()
        next(iter(()))

    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        await co(raises)


async def test_a_long_loop_of_yields_needs_no_stack() -> None:
    def loops() -> Driven:
        total = 0
        for _ in range(5000):
            total += yield thunk(calls_back(None, 1))
        return total

    assert await co(loops) == 5000


class Failure(Exception):
    pass


async def fails_anew() -> None:
    await asyncio.sleep(0)
    raise Failure


@pytest.mark.parametrize(
    "make",
    [
        fails_anew,
        lambda: [fails_anew(), two()],
        lambda: asyncio.ensure_future(fails_anew()),
    ],
)
async def test_a_failure_leaves_nothing_for_the_cycle_collector(make: Callable[[], Any]) -> None:
    async def fail() -> weakref.ref[Failure]:
        try:
            await co(made_inside, make)
        except Failure as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        failure = await fail()
        await asyncio.sleep(0)  # the tasks are done and gone
        assert failure() is None
    finally:
        gc.enable()


# --- co itself ---


async def test_co_runs_functions_generators_awaitables_and_returns_plain_values() -> None:
    assert await co(triple, 2) == 6
    assert await co(triple, number=2) == 6
    assert await co(triple(2)) == 6
    assert await co(double, 2) == 4
    assert await co(double(2)) == 4
    assert await co(plain, 2) == 2
    assert await co(2) == 2
    assert await co(lambda: triple(2)) == 6
    assert await co([1, 2]) == [1, 2]


async def test_arguments_for_what_is_not_called_are_refused() -> None:
    with pytest.raises(TypeError, match="arguments for 2, which is not called"):
        await co(2, 1)  # type: ignore[call-overload]  # the mistake in question


def test_co_gives_what_asyncio_can_run() -> None:
    assert asyncio.run(co(triple, 2)) == 6


async def test_nothing_runs_before_it_is_awaited() -> None:
    began: list[str] = []
    waiting = co(lambda: began.append("began"))
    assert began == []
    await waiting
    assert began == ["began"]


async def test_wrap_makes_a_coroutine_function() -> None:
    @co.wrap
    def sextuple(number: int) -> Generator[Any, Any, int]:
        """Six of them."""
        doubled: int = yield double(number)
        return 3 * doubled

    assert inspect.iscoroutinefunction(sextuple)
    assert [await sextuple(1), await sextuple(number=2)] == [6, 12]
    assert (sextuple.__name__, sextuple.__doc__) == ("sextuple", "Six of them.")


async def test_wrap_works_on_methods() -> None:
    class Account:
        balance = 4

        @co.wrap
        def doubled(self) -> Generator[Any, Any, int]:
            doubled: int = yield double(self.balance)
            return doubled

    assert await Account().doubled() == 8


def test_wrap_takes_functions_only() -> None:
    with pytest.raises(TypeError, match="takes a function, got 3"):
        co.wrap(3)  # type: ignore[call-overload]  # the mistake in question


# --- thunks ---


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ((), None),
        ((None,), None),
        ((None, 1), 1),
        ((None, 1, 2), [1, 2]),
        ((0, 1), 1),
        (("", 1), 1),
        ((None, None), None),
    ],
)
async def test_the_results_of_a_callback_are_the_value(answer: Any, value: object) -> None:
    assert await co(yielding, thunk(calls_back(*answer))) == value
    assert await thunk(calls_back(*answer)) == value


async def test_an_error_given_to_a_callback_is_raised() -> None:
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as caught:
        await thunk(calls_back(error, 1))
    assert caught.value is error


@pytest.mark.parametrize("error", ["failed", StopIteration(3), 404])
async def test_what_cannot_be_raised_is_told_by_a_runtime_error(error: object) -> None:
    with pytest.raises(RuntimeError, match="the callback was given the error"):
        await thunk(calls_back(error))


async def test_only_the_first_call_of_a_callback_counts() -> None:
    def hasty(callback: Callable[..., object]) -> None:
        callback(None, "first")
        callback(ValueError("second"))
        callback(None, "third")

    assert await thunk(hasty) == "first"


async def test_a_callback_may_come_later_and_with_arguments_before_it() -> None:
    def later(word: str, callback: Callable[..., object]) -> None:
        asyncio.get_running_loop().call_soon(callback, None, word)

    assert await thunk(later, "word") == "word"


class NoError:
    """False, and notes in which thread it was asked."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def __bool__(self) -> bool:
        self.threads.append(threading.get_ident())
        return False


async def test_a_callback_may_come_from_another_thread() -> None:
    error = NoError()

    def from_a_thread(callback: Callable[..., object]) -> None:
        thread = threading.Thread(target=callback, args=(error, "from afar"))
        thread.start()
        thread.join()

    assert await thunk(from_a_thread) == "from afar"
    assert error.threads == [threading.get_ident()]  # answered in the loop's


async def test_a_thunk_calls_its_function_each_time_it_is_awaited() -> None:
    calls: list[int] = []

    def counts(callback: Callable[..., object]) -> None:
        calls.append(1)
        callback(None, len(calls))

    counter: Awaitable[Any] = thunk(counts)
    assert [await counter, await counter] == [1, 2]


async def test_a_callback_after_cancellation_is_ignored() -> None:
    callbacks: list[Callable[..., object]] = []
    task = asyncio.ensure_future(co(yielding, thunk(callbacks.append)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    callbacks[0](None, "too late")


def test_a_callback_after_the_loop_is_ignored() -> None:
    callbacks: list[Callable[..., object]] = []

    async def gives_up() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await thunk(callbacks.append)

    asyncio.run(gives_up())
    thread = threading.Thread(target=callbacks[0], args=(None, "too late"))
    thread.start()
    thread.join()


async def test_a_thunk_function_that_raises_fails_at_the_yield() -> None:
    def raises(callback: Callable[..., object]) -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await co(yielding, thunk(raises))


@pytest.mark.parametrize("fn", [double, triple, 3, None])
def test_a_thunk_takes_plain_functions_only(fn: Any) -> None:
    with pytest.raises(TypeError, match=r"thunk\(\) takes a plain function that calls back"):
        thunk(fn)


# --- any nesting ---

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


def wrapped(value: Any, ways: Random) -> Any:
    """Return something that may be yielded and comes to `value`."""
    if isinstance(value, list):
        items = [wrapped(each, ways) for each in value]
        return ways.choice([items, tuple(items), map(same, items), (each for each in items)])
    if isinstance(value, dict):
        return {key: wrapped(each, ways) for key, each in value.items()}
    return ways.choice([value, Later(value), driven(value), thunk(calls_back(None, value))])


def same(item: Any) -> Any:
    return item


class Later:
    """An awaitable that, unlike a coroutine, may stay un-awaited."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, object]:
        yield from asyncio.sleep(0).__await__()
        return self.value


def driven(value: object) -> Driven:
    return (yield Later(value))


@given(value=st.lists(VALUES, max_size=4), ways=st.randoms())
def test_any_nesting_comes_back_in_its_shape(value: list[Any], ways: Random) -> None:
    with asyncio.Runner() as runner:
        assert runner.run(co(yielding, wrapped(value, ways))) == value
