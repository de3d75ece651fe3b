"""Chains as data, run on ohia: the twin of what `driver.js` makes of the same programs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from ohia import co, compose, thunk

from .ohia_side import Exchange, answer, encode, make_app

__all__ = ["run_co", "run_compose", "run_koa1"]

Program = dict[str, Any]
Trace = list[str]


class Trouble(Exception):
    """What a program raises."""


def told(value: Any) -> str:
    """Return `value` as JSON, as JavaScript writes it."""
    return json.dumps(encode(value), separators=(",", ":"), ensure_ascii=False)


def _name(error: Exception) -> str:
    return "TypeError" if isinstance(error, TypeError) else _words(error)


def _words(error: Exception) -> str:
    """Return what `error` says, but for the name of the middleware, which ohia adds."""
    return str(error).partition(", by ")[0]


# ---- compose --------------------------------------------------------------------------------


def middleware(program: Program, trace: Trace) -> Any:  # noqa: C901 - one case an action
    """Return the coroutine function, or the composition, that `program` describes."""
    if "compose" in program:
        return compose([middleware(each, trace) for each in program["compose"]])
    name = program["name"]

    async def run(ctx: Any, next: Callable[[], Awaitable[Any]]) -> Any:  # noqa: C901 - ditto
        for action, *rest in program["actions"]:
            match action:
                case "log":
                    trace.append(f"{name} {rest[0]}")
                case "next":
                    trace.append(f"{name} got {told(await next())}")
                case "tolerant next":
                    try:
                        await next()
                    except Exception as error:  # noqa: BLE001 - it is told, as the twin does
                        trace.append(f"{name} caught {_words(error)}")
                case "pause":
                    await asyncio.sleep(0)
                case "raise":
                    raise Trouble(rest[0])
                case "return":
                    return rest[0]
        return None

    return run


async def run_compose(*, programs: list[Program], times: int = 1) -> dict[str, Any]:
    """Return what `driver.js` returns for the area `compose`."""
    trace: Trace = []
    composed = compose([middleware(each, trace) for each in programs])
    outcomes: list[Any] = []
    for _ in range(times):
        try:
            outcomes.append({"ok": encode(await composed(make_context()))})
        except Exception as error:  # noqa: BLE001 - it is the outcome
            outcomes.append({"thrown": _words(error)})
    return {"trace": trace, "outcomes": outcomes}


def make_context() -> Any:
    """Return something to hand through a chain that never looks at it."""
    return object()


# ---- co and Koa 1 ---------------------------------------------------------------------------


def yieldable(value: Any, next: Any, trace: Trace) -> Any:
    """Return what a program yields, made anew."""
    if isinstance(value, list):
        return [yieldable(each, next, trace) for each in value]
    if isinstance(value, dict) and "$" not in value:
        return {key: yieldable(each, next, trace) for key, each in value.items()}
    return _special(value, next, trace) if isinstance(value, dict) else value


def _special(value: Any, next: Any, trace: Trace) -> Any:
    kind = value["$"]
    if kind == "next":
        return next
    if kind.startswith("generator"):
        run = _generator_function(value, next, trace)
        return run if kind == "generator function" else run()
    return YIELDABLES[kind](value)


async def _promise(value: Any) -> Any:
    return value


async def _rejected(message: str) -> None:
    raise Trouble(message)


def _call_back(*results: Any) -> Any:
    return thunk(lambda done: asyncio.get_running_loop().call_soon(done, *results))


def _throwing_thunk(message: str) -> Any:
    def call_back(done: Callable[..., None]) -> None:
        raise Trouble(message)

    return thunk(call_back)


def _generator_function(value: Any, next: Any, trace: Trace) -> Any:
    def run() -> Generator[Any, Any, Any]:
        trace.append(f"{value['name']} in")
        got = yield yieldable(value["value"], next, trace)
        trace.append(f"{value['name']} out")
        return got

    return run


def _raising(message: str) -> Generator[Any, Any, None]:
    raise Trouble(message)
    yield


YIELDABLES: dict[str, Callable[[Any], Any]] = {
    "promise": lambda value: _promise(value["value"]),
    "rejected": lambda value: _rejected(value["message"]),
    "thunk": lambda value: _call_back(None, value["value"]),
    "failing thunk": lambda value: _call_back(Trouble(value["message"])),
    "throwing thunk": lambda value: _throwing_thunk(value["message"]),
    "raising generator": lambda value: _raising(value["message"]),
}


def generator_function(program: Program, trace: Trace) -> Any:  # noqa: C901 - one case an action
    """Return the generator function that `program` describes: `(ctx, next)`."""
    name = program["name"]

    def run(  # noqa: C901, PLR0912 - ditto
        ctx: Any = None, next: Any = None
    ) -> Generator[Any, Any, Any]:
        for action, *rest in program["actions"]:
            match action:
                case "log":
                    trace.append(f"{name} {rest[0]}")
                case "raise":
                    raise Trouble(rest[0])
                case "return":
                    return rest[0]
                case "body":
                    ctx.body = rest[0]
                case "delegate":
                    trace.append(f"{name} got {told((yield from next))}")
                case "yield":
                    try:
                        got = yield yieldable(rest[0], next, trace)
                        trace.append(f"{name} got {told(got)}")
                    except Exception as error:
                        trace.append(f"{name} caught {_name(error)}")
                        if len(rest) < 2 or not rest[1]:
                            raise
        return None

    return run


async def run_co(*, program: Program) -> dict[str, Any]:
    """Return what `driver.js` returns for the area `co`."""
    trace: Trace = []
    try:
        return {"ok": encode(await co(generator_function(program, trace))), "trace": trace}
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return {"thrown": _name(error), "trace": trace}


async def run_koa1(*, programs: list[Program], request: dict[str, Any]) -> dict[str, Any]:
    """Return what `driver.js` returns for the area `koa1`."""
    trace: Trace = []
    errors: list[str] = []
    app = make_app({"env": "production"})  # elsewhere ohia warns of a value that nobody took
    app.on("error", lambda error: errors.append(_name(error)))
    for program in programs:
        app.use(generator_function(program, trace))
    answered = await answer(app, Exchange(request, {}))
    return {"trace": trace, "errors": errors, "answer": answered}
