import asyncio
import contextlib
import functools
import gc
import sys
import types
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.co import co
from ohia.compose import Composed, compose
from ohia.errors import NextCalledTwice
from ohia.signature import check_middleware
from ohia.types import Next

Log = list[Any]


# --- the spellings, each of which writes its name in and out, and returns (name, downstream's) ---


async def awaits(log: Log, next: Next) -> object:
    log.append("awaits >")
    value = await next()
    log.append("< awaits")
    return "awaits", value


async def awaits_next_itself(log: Log, next: Next) -> object:
    log.append("awaits_next_itself >")
    value = await next
    log.append("< awaits_next_itself")
    return "awaits_next_itself", value


def yields(log: Log, next: Next) -> Generator[Any, Any, object]:
    log.append("yields >")
    value = yield next
    log.append("< yields")
    return "yields", value


def yields_a_call(log: Log, next: Next) -> Generator[Any, Any, object]:
    log.append("yields_a_call >")
    value = yield next()
    log.append("< yields_a_call")
    return "yields_a_call", value


def yields_from(log: Log, next: Next) -> Generator[Any, Any, object]:
    log.append("yields_from >")
    value = yield from next  # type: ignore[func-returns-value]  # mypy asks for a generator
    log.append("< yields_from")
    return "yields_from", value


def wrapper_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as users do: what comes out is plain, and its kind is known only by calling it."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **options: Any) -> Any:
        return fn(*args, **options)

    return wrapped


class Middleware:
    async def __call__(self, log: Log, next: Next) -> object:
        return await awaits(log, next)

    def yields(self, log: Log, next: Next) -> Generator[Any, Any, object]:
        return (yield from yields(log, next))


class GeneratorMiddleware:
    def __call__(self, log: Log, next: Next) -> Generator[Any, Any, object]:
        return (yield from yields(log, next))


def with_option(option: str, log: Log, next: Next) -> Coroutine[Any, Any, object]:
    assert option == "option"
    return awaits(log, next)


@types.coroutine
def old_coroutine(log: Log, next: Next) -> Generator[Any, Any, object]:
    yield from asyncio.sleep(0)
    return (yield from awaits(log, next))  # type: ignore[func-returns-value]  # it does here


SPELLINGS: dict[str, tuple[Callable[..., Any], str]] = {
    "await next()": (awaits, "awaits"),
    "await next": (awaits_next_itself, "awaits_next_itself"),
    "yield next": (yields, "yields"),
    "yield next()": (yields_a_call, "yields_a_call"),
    "yield from next": (yields_from, "yields_from"),
    "plain function around async": (wrapper_of(awaits), "awaits"),
    "plain function around a generator": (wrapper_of(yields), "yields"),
    "object": (Middleware(), "awaits"),
    "object with a generator": (GeneratorMiddleware(), "yields"),
    "bound method": (Middleware().yields, "yields"),
    "partial": (functools.partial(with_option, "option"), "awaits"),
    "partial of async": (functools.partial(awaits), "awaits"),
    "partial of a generator": (functools.partial(yields), "yields"),
    "partial of an object": (functools.partial(Middleware()), "awaits"),
    "types.coroutine": (old_coroutine, "awaits"),
    "composed": (compose(awaits), "awaits"),
}


async def answer(ctx: Log) -> str:
    return "answer"


async def rest(ctx: Log, next: Next) -> object:
    ctx.append("rest")
    return await next()


@pytest.fixture(params=[True, False], ids=["checked", "production"])
def checked(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_spelling_goes_down_and_comes_back_with_the_value(
    spelling: str, checked: bool
) -> None:
    middleware, name = SPELLINGS[spelling]
    log: Log = []
    value = await compose(awaits, middleware, yields, answer, checked=checked)(log)
    assert log == ["awaits >", f"{name} >", "yields >", "< yields", f"< {name}", "< awaits"]
    assert value == ("awaits", (name, ("yields", "answer")))


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_behind_the_last_middleware_next_does_nothing(spelling: str, checked: bool) -> None:
    middleware, name = SPELLINGS[spelling]
    assert await compose(middleware, checked=checked)([]) == (name, None)


def plain_answer(ctx: Log) -> str:
    return "answer"


def generator_answer(ctx: Log) -> Generator[Any, Any, str]:
    value: str = yield answer(ctx)
    return value


@pytest.mark.parametrize(
    "middleware",
    [
        answer,
        plain_answer,
        generator_answer,
        wrapper_of(answer),
        wrapper_of(generator_answer),
        functools.partial(answer),
        lambda ctx: answer(ctx),  # noqa: PLW0108 - a lambda is the case
        lambda ctx: "answer",
    ],
)
async def test_what_takes_only_ctx_answers(middleware: Any, checked: bool) -> None:
    assert await compose(awaits, middleware, rest, checked=checked)([]) == ("awaits", "answer")


async def test_next_is_passed_where_two_arguments_can_be_taken(checked: bool) -> None:
    async def takes_any(*args: Any) -> int:
        return len(args)

    async def with_default(ctx: Log, next: Next | None = None) -> bool:
        return next is not None

    assert await compose(takes_any, checked=checked)([]) == 2
    assert await compose(with_default, checked=checked)([]) is True


async def test_a_plain_function_may_return_next_called_or_not(checked: bool) -> None:
    def calls(ctx: Log, next: Next) -> object:
        return next()

    def hands_over(ctx: Log, next: Next) -> object:
        return next

    assert await compose(calls, hands_over, answer, checked=checked)([]) == "answer"


async def test_a_plain_function_that_does_not_call_next_stops_the_chain(checked: bool) -> None:
    log: Log = []
    value = await compose(awaits, lambda ctx, _: None, rest, checked=checked)(log)
    assert value == ("awaits", None)
    assert log == ["awaits >", "< awaits"]


# --- composing ---


async def test_no_middleware_at_all_returns_none_or_goes_to_the_outer_next(checked: bool) -> None:
    async def outer() -> str:
        return "outer"

    assert await compose(checked=checked)([]) is None
    assert await compose([], checked=checked)([]) is None
    assert await compose(checked=checked)([], outer) == "outer"


async def outer_coroutine() -> str:
    return "outer"


def outer_generator() -> Generator[Any, Any, str]:
    value: str = yield outer_coroutine()
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: outer_coroutine,
        lambda: lambda: "outer",
        lambda: outer_generator,
        lambda: outer_coroutine(),  # noqa: PLW0108 - one per test
        lambda: outer_generator(),  # noqa: PLW0108 - one per test
        lambda: asyncio.ensure_future(outer_coroutine()),
    ],
    ids=["async", "plain", "generator function", "coroutine", "generator", "task"],
)
@pytest.mark.parametrize("middleware", [awaits, yields])
async def test_the_outer_next_may_be_a_callable_an_awaitable_or_a_generator(
    middleware: Any, make: Callable[[], Any], checked: bool
) -> None:
    composed = compose(middleware, checked=checked)
    assert await composed([], make()) == (middleware.__name__, "outer")


async def test_lists_are_flattened_and_copied(checked: bool) -> None:
    inner: list[Any] = [yields, (awaits,)]
    composed = compose([inner], yields_from, checked=checked)
    inner.clear()
    assert composed.middleware == (yields, awaits, yields_from)
    assert await composed([]) == ("yields", ("awaits", ("yields_from", None)))


async def test_composed_middleware_nests(checked: bool) -> None:
    inner = compose(yields, compose(awaits), checked=checked)
    log: Log = []
    value = await compose(awaits, inner, rest, checked=checked)(log)
    assert value == ("awaits", ("yields", ("awaits", None)))
    assert log == [
        *("awaits >", "yields >", "awaits >", "rest"),
        *("< awaits", "< yields", "< awaits"),
    ]


async def test_composed_middleware_can_be_called_by_hand(checked: bool) -> None:
    inner = compose(awaits, answer, checked=checked)

    async def all_of_it(ctx: Log, next: Next) -> object:
        return await inner(ctx, next)

    def all_yielded(ctx: Log, next: Next) -> Generator[Any, Any, object]:
        return (yield inner(ctx, next))

    assert await compose(all_of_it, checked=checked)([]) == ("awaits", "answer")
    assert await compose(all_yielded, checked=checked)([]) == ("awaits", "answer")


def random(log: Log, next: Any) -> Generator[Any, Any, object]:
    log.append("random")
    return (yield next)


def backwards(log: Log, next: Any) -> Generator[Any, Any, object]:
    log.append("backwards")
    return (yield from next)


def pi(log: Log, next: Any) -> Generator[Any, Any, object]:
    log.append("pi")
    return (yield next)


async def test_a_chain_made_by_hand_of_generators_works(checked: bool) -> None:
    def all_of_it(log: Log, next: Next) -> Generator[Any, Any, object]:
        return (yield random(log, backwards(log, pi(log, next))))

    log: Log = []
    assert await compose(all_of_it, rest, answer, checked=checked)(log) == "answer"
    assert log == ["random", "backwards", "pi", "rest"]


async def test_next_can_wait_in_parallel_with_other_things(checked: bool) -> None:
    def middleware(ctx: Log, next: Next) -> Generator[Any, Any, object]:
        return (yield [next, answer(ctx), 3])

    value = await compose(middleware, yields, checked=checked)([])
    assert value == [("yields", None), "answer", 3]


async def test_next_can_be_made_a_task(checked: bool) -> None:
    async def middleware(ctx: Log, next: Next) -> object:
        return await asyncio.wait_for(next(), 10)  # wait_for takes any awaitable

    for following in (awaits, yields, plain_answer, compose(yields)):
        await compose(middleware, following, checked=checked)([])


async def test_a_composed_function_runs_many_times_and_concurrently(checked: bool) -> None:
    arrived = asyncio.Barrier(3)

    async def meet(log: Log, next: Next) -> object:
        await arrived.wait()
        return await next()

    composed = compose(meet, yields, answer, checked=checked)
    values = await asyncio.gather(*(composed([]) for _ in range(3)))
    assert values == [("yields", "answer")] * 3


# --- next() twice ---


async def calls_twice(ctx: Log, next: Next) -> None:
    await next()
    next()  # type: ignore[unused-coroutine,unused-ignore]  # raises before there is one


async def awaits_twice(ctx: Log, next: Next) -> None:
    await next
    await next


def yields_twice(ctx: Log, next: Next) -> Generator[Any, Any, None]:
    yield next
    yield next


def calls_twice_in_a_generator(ctx: Log, next: Next) -> Generator[Any, Any, None]:
    yield next()
    next()


def yields_from_twice(ctx: Log, next: Next) -> Generator[Any, Any, None]:
    yield from next
    yield from next


@pytest.mark.parametrize(
    "middleware",
    [calls_twice, awaits_twice, yields_twice, calls_twice_in_a_generator, yields_from_twice],
)
async def test_a_second_next_is_an_error_that_names_the_middleware(
    middleware: Any, checked: bool
) -> None:
    log: Log = []
    with pytest.raises(NextCalledTwice) as caught:
        await compose(awaits, middleware, rest, checked=checked)(log)
    assert str(caught.value) == f"next() called multiple times, by {middleware.__name__}"
    assert log == ["awaits >", "rest"]


async def test_a_second_next_raises_at_the_call_in_the_caller(checked: bool) -> None:
    async def middleware(ctx: Log, next: Next) -> str:
        await next()
        try:
            next()  # type: ignore[unused-coroutine,unused-ignore]  # raises before there is one
        except NextCalledTwice:
            return "caught"
        return "missed"

    def generator(ctx: Log, next: Next) -> Generator[Any, Any, str]:
        yield next
        try:
            yield next
        except NextCalledTwice:
            return "caught"
        return "missed"

    assert await compose(middleware, checked=checked)([]) == "caught"
    assert await compose(generator, checked=checked)([]) == "caught"


async def test_a_second_next_is_an_error_after_an_inner_layer_stopped_early(checked: bool) -> None:
    log: Log = []
    with pytest.raises(NextCalledTwice):
        await compose(yields_twice, answer, rest, rest, checked=checked)(log)
    assert log == []


async def test_a_second_next_is_an_error_while_the_first_still_runs(checked: bool) -> None:
    async def middleware(ctx: Log, next: Next) -> None:
        first = next()
        with pytest.raises(NextCalledTwice):
            next()  # type: ignore[unused-coroutine,unused-ignore]  # raises before there is one
        await first

    await compose(middleware, checked=checked)([])


# --- production or not ---


async def test_production_returns_the_middleware_s_own_coroutine() -> None:
    coroutine: Any = compose(awaits, checked=False)([])
    assert coroutine.__qualname__ == "awaits"
    assert await coroutine == ("awaits", None)


@pytest.mark.parametrize(("env", "checks"), [("production", False), ("", True), (None, True)])
async def test_checks_are_on_unless_the_environment_says_production(
    env: str | None, checks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if env is None:
        monkeypatch.delenv("OHIA_ENV", raising=False)
    else:
        monkeypatch.setenv("OHIA_ENV", env)
    coroutine: Any = compose(awaits)([])
    assert (coroutine.__qualname__ != "awaits") is checks
    await coroutine


# --- errors, context, tasks ---


@pytest.mark.parametrize(
    "error", [ValueError("x"), asyncio.CancelledError(), SystemExit(1), KeyboardInterrupt()]
)
async def test_errors_pass_every_spelling_untouched(error: BaseException, checked: bool) -> None:
    async def fails(ctx: Log) -> None:
        raise error

    everything = [middleware for middleware, _ in SPELLINGS.values()]
    with pytest.raises(type(error)) as caught:
        await compose(everything, fails, checked=checked)([])
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None


async def test_a_generator_catches_downstream_s_error_at_its_yield(checked: bool) -> None:
    def forgives(ctx: Log, next: Next) -> Generator[Any, Any, str]:
        try:
            yield next
        except ValueError as error:
            return f"caught {error}"
        finally:
            yield asyncio.sleep(0)
            ctx.append("finally")
        return "missed"

    async def fails(ctx: Log) -> None:
        raise ValueError("x")

    log: Log = []
    assert await compose(forgives, yields_from, fails, checked=checked)(log) == "caught x"
    assert log == ["yields_from >", "finally"]


async def test_a_generator_goes_on_with_the_value_of_each_yield(checked: bool) -> None:
    async def value(value: object) -> object:
        return value

    def middleware(ctx: Log, next: Next) -> Generator[Any, Any, None]:
        for each in (value(None), value(1), next, value(None), value(2)):
            ctx.append((yield each))

    log: Log = []
    assert await compose(middleware, checked=checked)(log) is None
    assert log == [None, 1, None, None, 2]


async def test_an_error_that_a_generator_caught_is_over(checked: bool) -> None:
    def fails(ctx: Log) -> None:
        raise ValueError("over and done")

    def middleware(ctx: Log, next: Next) -> Generator[Any, Any, None]:
        with contextlib.suppress(ValueError):
            yield next
        assert sys.exc_info() == (None, None, None)
        yield answer(ctx)
        raise KeyError("later")

    with pytest.raises(KeyError) as caught:
        await compose(middleware, fails, checked=checked)([])
    assert caught.value.__context__ is None


@pytest.mark.parametrize("end", ["close", "drop"])
def test_a_chain_that_is_given_up_ends_its_generators_inside_out(end: str, checked: bool) -> None:
    log: Log = []

    def named(name: str) -> Callable[..., Any]:
        def middleware(ctx: Log, next: Next) -> Generator[Any, Any, None]:
            try:
                yield next
            finally:
                log.append(name)

        return middleware

    async def waits(ctx: Log) -> None:
        await asyncio.Future(loop=loop)

    loop = asyncio.new_event_loop()
    chain = compose(named("outer"), named("inner"), waits, checked=checked)(log)
    chain.send(None)
    if end == "close":
        chain.close()
    del chain
    loop.close()
    assert log == ["inner", "outer"]


async def test_context_variables_are_seen_in_both_directions(checked: bool) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")

    def outer(ctx: Log, next: Next) -> Generator[Any, Any, str]:
        variable.set("down")
        yield next
        return variable.get()

    async def inner(ctx: Log) -> None:
        assert variable.get() == "down"
        variable.set("up")

    assert await compose(outer, yields, awaits, inner, checked=checked)([]) == "up"


async def test_all_layers_run_in_the_caller_s_task(checked: bool) -> None:
    def generator(ctx: Log, next: Next) -> Generator[Any, Any, None]:
        ctx.append(asyncio.current_task())
        yield next

    async def coroutine(ctx: Log, next: Next) -> None:
        ctx.append(asyncio.current_task())
        await next()

    log: Log = []
    await compose(generator, coroutine, generator, coroutine, checked=checked)(log)
    assert log == [asyncio.current_task()] * 4


async def test_a_timeout_around_next_reaches_generators(checked: bool) -> None:
    async def limits(ctx: Log, next: Next) -> str:
        try:
            async with asyncio.timeout(0):
                await next()
        except TimeoutError:
            return "too late"
        return "in time"

    def waits(ctx: Log, next: Next) -> Generator[Any, Any, None]:
        try:
            yield asyncio.Event().wait()
        finally:
            ctx.append("finally")

    log: Log = []
    assert await compose(limits, yields, waits, checked=checked)(log) == "too late"
    assert log == ["yields >", "finally"]


async def test_a_request_leaves_nothing_for_the_cycle_collector(checked: bool) -> None:
    class Ctx(list[Any]):
        pass

    async def fails(ctx: Log) -> None:
        raise ValueError

    composed = compose(awaits, yields, plain_answer, checked=checked)
    failing = compose(awaits, yields, yields_from, fails, checked=checked)
    gc.collect()
    gc.disable()
    try:
        ctx = Ctx()
        trace = weakref.ref(ctx)
        await composed(ctx)
        with contextlib.suppress(ValueError):
            await failing(ctx)
        del ctx
        assert trace() is None
    finally:
        gc.enable()


# --- what can run ---


async def async_generator(ctx: Log, next: Next) -> AsyncIterator[None]:
    yield


async def takes_three(ctx: Log, next: Next, user: str) -> None: ...


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_passes_the_check(spelling: str) -> None:
    check_middleware(SPELLINGS[spelling][0])


async def test_an_async_generator_behind_a_plain_function_is_refused_when_called(
    checked: bool,
) -> None:
    with pytest.raises(TypeError, match="returned an async generator, which nothing runs"):
        await compose(wrapper_of(async_generator), checked=checked)([])


async def test_a_wrapper_that_passes_its_arguments_on_takes_what_it_wraps(checked: bool) -> None:
    assert await compose(wrapper_of(wrapper_of(answer)), checked=checked)([]) == "answer"
    with pytest.raises(TypeError, match="takes_three needs ctx, next, user"):
        compose(wrapper_of(takes_three))


# --- names ---


def named(fn: Any, name: str) -> Any:
    fn._name = name
    return fn


async def test_errors_use_the_name_that_was_set(checked: bool) -> None:
    middleware = named(functools.partial(calls_twice), "my own")
    with pytest.raises(NextCalledTwice, match=r"by my own$"):
        await compose(middleware, checked=checked)([])


def test_compose_gives_a_composed_middleware() -> None:
    assert isinstance(compose(), Composed)


async def test_co_runs_middleware_by_hand() -> None:
    by_hand: Callable[..., Generator[Any, Any, object]] = yields
    assert await co(by_hand, [], outer_coroutine) == ("yields", "outer")


# --- any chain against a model ---


class Boom(Exception):
    """What a planned middleware raises."""


@dataclass(frozen=True)
class Plan:
    """What one middleware does, in this order."""

    spelling: str
    raises_before: bool = False
    calls: int = 1
    catches: bool = False
    raises_after: bool = False
    tells: bool = True


def boom_if(wanted: bool, place: int) -> None:
    if wanted:
        raise Boom(place)


def refuse_second(call: int) -> None:
    if call:
        raise NextCalledTwice


def expect(plans: list[Plan], log: Log, place: int = 0) -> object:
    """Run the chain as nested plain calls: the model."""
    if place == len(plans):
        return None
    plan = plans[place]
    log.append(("enter", place))
    value: object = None
    try:
        boom_if(plan.raises_before, place)
        for call in range(plan.calls):
            refuse_second(call)
            value = expect(plans, log, place + 1)
    except (Boom, NextCalledTwice) as error:
        if not plan.catches:
            raise
        value = type(error).__name__
    log.append(("leave", place))
    boom_if(plan.raises_after, place)
    return (place, value) if plan.tells else None


def make_async(plan: Plan, place: int) -> Callable[..., Any]:
    async def middleware(log: Log, next: Next) -> object:
        log.append(("enter", place))
        value: object = None
        try:
            boom_if(plan.raises_before, place)
            for _ in range(plan.calls):
                value = await (next if plan.spelling == "await next" else next())
        except (Boom, NextCalledTwice) as error:
            if not plan.catches:
                raise
            value = type(error).__name__
        log.append(("leave", place))
        boom_if(plan.raises_after, place)
        return (place, value) if plan.tells else None

    return middleware


def make_generator(plan: Plan, place: int) -> Callable[..., Any]:
    def go(next: Next) -> Generator[Any, Any, object]:
        if plan.spelling == "yield next":
            return (yield next)
        if plan.spelling == "yield next()":
            return (yield next())
        return (yield from next)  # type: ignore[func-returns-value]  # mypy asks for a generator

    def middleware(log: Log, next: Next) -> Generator[Any, Any, object]:
        log.append(("enter", place))
        value: object = None
        try:
            boom_if(plan.raises_before, place)
            for _ in range(plan.calls):
                value = yield from go(next)
        except (Boom, NextCalledTwice) as error:
            if not plan.catches:
                raise
            value = type(error).__name__
        log.append(("leave", place))
        boom_if(plan.raises_after, place)
        return (place, value) if plan.tells else None

    return middleware


def make_object(plan: Plan, place: int) -> Callable[..., Any]:
    class Planned:
        def __init__(self) -> None:
            self.run = make_async(plan, place)

        async def __call__(self, log: Log, next: Next) -> object:
            return await self.run(log, next)

    return Planned()


MAKERS: dict[str, Callable[[Plan, int], Callable[..., Any]]] = {
    "await next()": make_async,
    "await next": make_async,
    "yield next": make_generator,
    "yield next()": make_generator,
    "yield from next": make_generator,
    "plain around async": lambda plan, place: wrapper_of(make_async(plan, place)),
    "plain around a generator": lambda plan, place: wrapper_of(make_generator(plan, place)),
    "object": make_object,
    "partial": lambda plan, place: functools.partial(make_generator(plan, place)),
    "method": lambda plan, place: types.MethodType(make_async_method(plan, place), object()),
    "composed": lambda plan, place: compose(make_async(plan, place)),
}


def make_async_method(plan: Plan, place: int) -> Callable[..., Any]:
    run = make_async(plan, place)

    async def method(self: object, log: Log, next: Next) -> object:
        return await run(log, next)

    return method


PLANS = st.lists(
    st.builds(
        Plan,
        spelling=st.sampled_from(sorted(MAKERS)),
        raises_before=st.sampled_from([False, False, False, True]),
        calls=st.sampled_from([1, 1, 1, 0, 2]),
        catches=st.booleans(),
        raises_after=st.sampled_from([False, False, False, True]),
        tells=st.booleans(),
    ),
    max_size=6,
)


def outcome(run: Callable[[], object]) -> object:
    """Return the value or the error that `run` comes to, comparable."""
    try:
        return run()
    except (Boom, NextCalledTwice) as error:
        return type(error), error.args if isinstance(error, Boom) else ()


def drive_by_hand(coroutine: Coroutine[Any, Any, Any]) -> object:
    """Run what never really waits to its end, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


@given(plans=PLANS, split=st.integers(0, 6), checked=st.booleans())
def test_any_chain_does_what_nested_calls_do(plans: list[Plan], split: int, checked: bool) -> None:
    expected_log: Log = []
    expected = outcome(lambda: expect(plans, expected_log))
    middleware = [MAKERS[plan.spelling](plan, place) for place, plan in enumerate(plans)]
    nested = [*middleware[:split], compose(middleware[split:], checked=checked)]
    for chain in (middleware, nested):
        log: Log = []
        composed = compose(chain, checked=checked)
        assert outcome(lambda: drive_by_hand(composed(log))) == expected  # noqa: B023 - run at once
        assert log == expected_log
