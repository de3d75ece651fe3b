"""What is told when a route is registered, because it could never do what it says."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ohia import compose

__all__ = ["check_handlers", "path_texts"]

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def path_texts(path: Any, methods: str | Iterable[str] | None) -> tuple[str, ...]:  # noqa: ANN401 - whatever users give
    """Return the paths of a route; TypeError for what is none, such as `@router.get` alone."""
    paths: tuple[Any, ...] = tuple(path) if type(path) in {list, tuple} else (path,)
    if paths and all(isinstance(each, str) for each in paths):
        return paths
    names = ["all"] if methods is None else [methods] if isinstance(methods, str) else methods
    verb = next(iter(names), "register").lower()
    raise TypeError(f"{verb}() takes a path: @router.{verb}('/path')")


def check_handlers(parameters: frozenset[str], *middleware: Callable[..., Any]) -> None:
    """Refuse (TypeError) what could never run, and what takes `next` for one of `parameters`."""
    for each in compose(*middleware).middleware:
        second = _second_argument(each)
        if second in parameters and second != "next":
            raise TypeError(
                f"middleware takes (ctx, next), and `{second}` would be next: "
                f"a parameter of the path is ctx.params[{second!r}]"
            )


def _second_argument(function: Callable[..., Any]) -> str | None:
    """Return what `function` itself calls its second argument, if it tells."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # some built-ins do not tell
        return None
    names = [each.name for each in parameters if each.kind in POSITIONAL]
    return names[1] if len(names) > 1 else None
