"""What a middleware is called and takes, and what could never be one."""

import functools
import inspect
import reprlib
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

__all__ = ["check_middleware", "function_of", "middleware_name", "places"]


def middleware_name(fn: object) -> str:
    """Return what `fn` is called in logs and errors.

    Its `_name`, else its own name, else its class's; "-" for a lambda.

    >>> middleware_name(middleware_name), middleware_name(lambda ctx: None)
    ('middleware_name', '-')
    """
    for attribute in ("_name", "__name__"):
        name = getattr(fn, attribute, None)
        if isinstance(name, str) and name:
            return "-" if name == "<lambda>" else name
    if isinstance(fn, functools.partial):
        return middleware_name(fn.func)
    return type(fn).__name__


def check_middleware(fn: object) -> None:
    """Raise TypeError for what could never run as middleware, and say what to write."""
    if inspect.iscoroutine(fn) or inspect.isgenerator(fn) or inspect.isasyncgen(fn):
        name = fn.__name__
        raise TypeError(
            f"middleware must be a function, got the result of {name}(): you called "
            "it, pass the function itself"
        )
    if isinstance(fn, ModuleType):
        name = fn.__name__.rpartition(".")[2]
        raise TypeError(
            f"middleware must be a function, got a module: from {fn.__name__} import {name}"
        )
    if not callable(fn):
        raise TypeError(f"middleware must be a function, got {reprlib.repr(fn)}")
    if isinstance(fn, type):
        raise TypeError(
            f"middleware must be a function, got the class {fn.__name__}: pass an "
            f"instance of it, {fn.__name__}(...)"
        )
    if inspect.isasyncgenfunction(function_of(fn)):
        raise TypeError(
            f"the middleware {middleware_name(fn)} is an async generator: write "
            "`await next()` in an `async def`, or `yield next` in a `def`"
        )
    if _is_bundled_factory(fn):
        raise TypeError(
            f"{fn.__name__} is no middleware by itself, it makes one: call it, {fn.__name__}(...)"
        )
    _check_parameters(fn)


def _is_bundled_factory(fn: Any) -> TypeGuard[FunctionType]:  # noqa: ANN401 - any callable
    """Say whether `fn` is a function of `ohia.middleware` itself: what they make is inside them."""
    module = fn.__module__ if isinstance(fn, FunctionType) else ""
    return (module or "").startswith("ohia.middleware.") and "." not in fn.__qualname__


def _check_parameters(fn: Callable[..., Any]) -> None:
    """Refuse a callable that cannot be called with (ctx, next) or (ctx)."""
    name = middleware_name(fn)
    needed = [each for each in _parameters(fn) if each.default is each.empty]
    positional = [each.name for each in needed if each.kind in POSITIONAL]
    keywords = [each.name for each in needed if each.kind is inspect.Parameter.KEYWORD_ONLY]
    if positional == ["scope", "receive", "send"]:
        raise TypeError(
            f"{name} is an ASGI application, no middleware: mount it, "
            '`app.use(mount("/path", asgi(application)))`, one of ohia without `asgi()`'
        )
    if len(positional) > 2:
        raise TypeError(
            f"middleware takes (ctx, next), but {name} needs {', '.join(positional)}: "
            "fix the others by functools.partial, or pass a method bound to its object"
        )
    if keywords:
        raise TypeError(
            f"middleware takes (ctx, next), but {name} needs the keyword "
            f"{', '.join(keywords)}: give it a default, or use functools.partial"
        )
    if not places(fn):
        raise TypeError(f"middleware takes (ctx, next) or (ctx), but {name} takes no argument")


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return what `fn` takes, as if (*args) where that cannot be known.

    A wrapper that passes on `*args` takes what the function it wraps takes.
    """
    try:
        signature = inspect.signature(fn, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-ins do not tell
        return [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)]
    parameters = list(signature.parameters.values())
    wrapped = getattr(fn, "__wrapped__", None)
    passes_on = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    if passes_on and len(parameters) <= 2 and callable(wrapped):
        return _parameters(wrapped)
    return [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]


def places(fn: Callable[..., Any]) -> int:
    """Return how many arguments `fn` can take by position, 2 for any number."""
    parameters = _parameters(fn)
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return 2
    return sum(each.kind in POSITIONAL for each in parameters)


def function_of(fn: Any) -> Any:  # noqa: ANN401 - any callable
    """Return the function that runs when `fn` is called, to ask of which kind it is."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.isroutine(fn):
        return fn
    return type(fn).__call__
