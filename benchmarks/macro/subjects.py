"""Everything that is measured: what it is, what it runs on, what it can do, how it starts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from prepare import NODE_MODULES, Paths

__all__ = ["SUBJECTS", "Subject", "available"]

Command = Callable[[Paths, int], list[str]]

HELLO = frozenset({"hello", "browser"})
FLOOR = HELLO | {"json"}
HTTP = FLOOR | {"layers", "echo", "stream"}
ROUTED = HTTP | {"route"}
ALL = ROUTED | {"socket"}
OHIA = ALL | {"cookie", "generators"}

# Nothing is logged or compressed, and uvicorn wraps nothing around the application.
LEAN_UVICORN = """
    --loop=uvloop --http=httptools --ws=websockets-sansio --ws-per-message-deflate=false
    --no-proxy-headers --no-access-log --log-level=error
"""
LEAN_GRANIAN = "--loop=uvloop --workers=1 --no-access-log --log-level=error"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One program, and what it can be asked for."""

    name: str
    group: str  # "ohia", "floor", "node" or "python"
    server: str  # what it runs on
    command: Command  # its arguments, for a port, to be run in `Paths.apps`
    versions: tuple[str, ...]  # what it is made of, by the names of `prepare.installed`
    workloads: frozenset[str] = ALL  # values of WORKLOAD that it serves
    layered: bool = True  # whether it heeds LAYERS
    env: dict[str, str] = field(default_factory=dict)  # beyond what every program gets
    note: str = ""


def by_python(program: str) -> Command:
    return lambda paths, port: [str(paths.python), program]


def by_uvicorn(application: str, *options: str) -> Command:
    return lambda paths, port: [
        *[str(paths.python), "-m", "uvicorn", application, f"--port={port}"],
        *LEAN_UVICORN.split(),
        *options,
    ]


def by_granian(application: str, interface: str = "asgi") -> Command:
    return lambda paths, port: [
        *[str(paths.python), "-m", "granian", application, f"--port={port}"],
        *LEAN_GRANIAN.split(),
        f"--interface={interface}",
    ]


def by_node(program: str) -> Command:
    return lambda paths, port: [paths.node, program]


def by_nginx(paths: Paths, port: int) -> list[str]:
    return ["sh", "nginx.sh", paths.nginx, str(paths.cache / "nginx")]


UVICORN = ("uvicorn", "httptools", "uvloop", "websockets")
GRANIAN = ("granian", "uvloop")
IN_NODE = {"NODE_PATH": str(NODE_MODULES)}

SUBJECTS = [
    Subject(
        name="ohia",
        group="ohia",
        server="its own, in uvloop",
        command=by_python("ohia_app.py"),
        versions=("ohia", "httptools", "msgspec", "uvloop", "websockets"),
        workloads=OHIA,
    ),
    Subject(
        name="ohia on asyncio",
        group="ohia",
        server="its own, in asyncio's loop",
        command=by_python("ohia_on_asyncio.py"),
        versions=("ohia", "httptools", "msgspec", "websockets"),
        workloads=OHIA,
    ),
    Subject(
        name="ohia on uvicorn",
        group="ohia",
        server="uvicorn",
        command=by_uvicorn("ohia_app:app"),
        versions=("ohia", "msgspec", *UVICORN),
        workloads=OHIA,
    ),
    Subject(
        name="ohia on granian",
        group="ohia",
        server="granian",
        command=by_granian("ohia_app:app"),
        versions=("ohia", "msgspec", *GRANIAN),
        workloads=OHIA,
    ),
    Subject(
        name="floor bytes",
        group="floor",
        server="httptools, uvloop",
        command=by_python("floor_bytes.py"),
        versions=("httptools", "uvloop"),
        workloads=FLOOR,
        layered=False,
        note="an asyncio.Protocol that answers bytes made beforehand",
    ),
    Subject(
        name="floor coroutine",
        group="floor",
        server="httptools, uvloop",
        command=by_python("floor_coroutine.py"),
        versions=("httptools", "uvloop"),
        workloads=FLOOR | {"layers", "echo"},
        note="the same with a task per request; its layers are guarded closures",
    ),
    Subject(
        name="raw asgi on uvicorn",
        group="floor",
        server="uvicorn",
        command=by_uvicorn("raw_asgi:app", "--lifespan", "off"),
        versions=UVICORN,
        workloads=HTTP | {"socket"},
    ),
    Subject(
        name="raw asgi on granian",
        group="floor",
        server="granian",
        command=by_granian("raw_asgi:app", "asginl"),
        versions=GRANIAN,
        workloads=HTTP | {"socket"},
    ),
    Subject(
        name="nginx",
        group="floor",
        server="its own",
        command=by_nginx,
        versions=("nginx",),
        workloads=HELLO,
        layered=False,
        note="`return 200`, one worker",
    ),
    Subject(
        name="koa",
        group="node",
        server="node",
        command=by_node("koa_app.js"),
        versions=("koa", "@koa/router", "ws", "node"),
        workloads=ALL | {"cookie"},
        env=IN_NODE,
        note="its sockets are those of `ws` on the same server",
    ),
    Subject(
        name="fastify",
        group="node",
        server="node",
        command=by_node("fastify_app.js"),
        versions=("fastify", "node"),
        workloads=ROUTED,
        env=IN_NODE,
        note="layers are onRequest hooks: there is no way back through them",
    ),
    Subject(
        name="node ws",
        group="node",
        server="node",
        command=by_node("node_ws.js"),
        versions=("ws", "node"),
        workloads=frozenset({"socket"}),
        layered=False,
        env=IN_NODE,
    ),
    # Starlette to Falcon are cheaper on granian in all but uploads, streams and sockets, where
    # uvicorn is ahead; Quart costs the same on both, its sockets less on uvicorn.
    Subject(
        name="starlette",
        group="python",
        server="granian",
        command=by_granian("starlette_app:app"),
        versions=("starlette", *GRANIAN),
        note="layers are ASGI middleware, the cheapest of its forms",
    ),
    Subject(
        name="starlette on uvicorn",
        group="python",
        server="uvicorn",
        command=by_uvicorn("starlette_app:app"),
        versions=("starlette", *UVICORN),
    ),
    Subject(
        name="fastapi",
        group="python",
        server="granian",
        command=by_granian("fastapi_app:app"),
        versions=("fastapi", "starlette", "pydantic", *GRANIAN),
        note="layers are ASGI middleware",
    ),
    Subject(
        name="blacksheep",
        group="python",
        server="granian",
        command=by_granian("blacksheep_app:app"),
        versions=("blacksheep", *GRANIAN),
    ),
    Subject(
        name="litestar",
        group="python",
        server="granian",
        command=by_granian("litestar_app:app"),
        versions=("litestar", "msgspec", *GRANIAN),
        note="layers are ASGI middleware",
    ),
    Subject(
        name="falcon",
        group="python",
        server="granian",
        command=by_granian("falcon_app:app"),
        versions=("falcon", *GRANIAN),
        note="layers are process_request methods: there is no way back through them",
    ),
    Subject(
        name="sanic",
        group="python",
        server="its own, in uvloop",
        command=by_python("sanic_app.py"),
        versions=("sanic", "httptools", "uvloop", "websockets"),
        note="layers are request middleware: there is no way back through them",
    ),
    Subject(
        name="aiohttp",
        group="python",
        server="its own, in uvloop",
        command=by_python("aiohttp_app.py"),
        versions=("aiohttp", "uvloop"),
    ),
    Subject(
        name="quart",
        group="python",
        server="uvicorn",
        command=by_uvicorn("quart_app:app"),
        versions=("quart", *UVICORN),
        note="layers are before_request functions: there is no way back through them",
    ),
]


def available(paths: Paths) -> list[Subject]:
    """Return the subjects whose parts are all here."""
    return [each for each in SUBJECTS if not paths.missing & {*each.versions}]
