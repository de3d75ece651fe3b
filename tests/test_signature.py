"""What a middleware is called and takes, and what could never be one."""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pytest

from ohia.compose import compose
from ohia.middleware.favicon import favicon
from ohia.signature import check_middleware, middleware_name
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


class Middleware:
    async def __call__(self, ctx: Log, next: Next) -> None: ...

    async def method(self, ctx: Log, next: Next) -> None: ...


# --- what can never run ---


class NeedsInstance:
    async def __call__(self, ctx: Log, next: Next) -> None: ...

    async def method(self, ctx: Log, next: Next) -> None: ...


class Application:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


async def async_generator(ctx: Log, next: Next) -> AsyncIterator[None]:
    yield


class AsyncGeneratorMiddleware:
    async def __call__(self, ctx: Log, next: Next) -> AsyncIterator[None]:
        yield


async def takes_nothing() -> None: ...


async def takes_keywords(*, ctx: Log) -> None: ...


async def takes_three(ctx: Log, next: Next, user: str) -> None: ...


async def needs_option(ctx: Log, next: Next, *, option: str) -> None: ...


def generator_object() -> Any:
    return yields([], compose())  # type: ignore[arg-type]  # never run


REFUSED = [
    (None, "must be a function, got None"),
    ("logger", "must be a function, got 'logger'"),
    ({"a": 1}, "must be a function, got {'a': 1}"),
    (
        NeedsInstance,
        r"got the class NeedsInstance: pass an instance of it, NeedsInstance\(\.\.\.\)",
    ),
    (generator_object(), r"got the result of yields\(\): you called it"),
    (async_generator([], compose()), r"got the result of async_generator\(\): you called it"),  # type: ignore[arg-type]
    (async_generator, "async_generator is an async generator: write `await next()`"),
    (AsyncGeneratorMiddleware(), "AsyncGeneratorMiddleware is an async generator"),
    (functools.partial(async_generator), "async_generator is an async generator"),
    (takes_nothing, "takes_nothing takes no argument"),
    (takes_keywords, "takes_keywords needs the keyword ctx"),
    (takes_three, "takes_three needs ctx, next, user"),
    (needs_option, "needs_option needs the keyword option"),
    (NeedsInstance.method, "pass a method bound to its object"),
    (Application(), "Application is an ASGI application, no middleware: mount it"),
    (favicon, r"favicon is no middleware by itself, it makes one: call it, favicon\(\.\.\.\)"),
    (sys.modules[favicon.__module__], "got a module: from ohia.middleware.favicon import favicon"),
]


@pytest.mark.parametrize(("middleware", "message"), REFUSED)
def test_what_could_never_run_is_refused_with_the_reason(middleware: Any, message: str) -> None:
    for refuse in (check_middleware, compose):
        with pytest.raises(TypeError, match=message.replace("()`", r"\(\)`")):
            refuse(middleware)


def test_a_coroutine_is_refused_as_called_too_early() -> None:
    coroutine = answer([])
    with pytest.raises(TypeError, match=r"got the result of answer\(\): you called it, pass the"):
        check_middleware(coroutine)
    coroutine.close()


def test_a_built_in_that_tells_no_signature_is_taken_at_its_word() -> None:
    check_middleware(max)


# --- names ---


def named(fn: Any, name: str) -> Any:
    fn._name = name
    return fn


@pytest.mark.parametrize(
    ("middleware", "name"),
    [
        (awaits, "awaits"),
        (named(wrapper_of(awaits), "serve /public"), "serve /public"),
        (lambda ctx: None, "-"),
        (functools.partial(awaits), "awaits"),
        (functools.partial(functools.partial(Middleware())), "Middleware"),
        (Middleware(), "Middleware"),
        (named(Middleware(), "mine"), "mine"),
        (Middleware().method, "method"),
        (named(lambda ctx: None, ""), "-"),
        (compose(awaits), "composed"),
        (named(compose(awaits), "api"), "api"),
    ],
)
def test_a_middleware_is_named_by_itself_its_function_or_its_class(
    middleware: Any, name: str
) -> None:
    assert middleware_name(middleware) == name
