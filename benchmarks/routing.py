"""What finding one of 10, 100 and 1,000 routes costs: `python benchmarks/routing.py [--json]`.

Nanoseconds per match, in memory, without a request around it, the best of several rounds. Each
table has two routes per resource, `/r<n>/items` and `/r<n>/items/:id`; asked is for the last one.
Starlette and BlackSheep stand beside ohia where they are installed.
"""

# ruff: noqa: PLC0415, T201 - what is not installed is left out; it tells whoever waits

import json
import sys
import timeit

SIZES = (10, 100, 1000)
ROUNDS = 5


async def answer(*args, **kwargs): ...


def ohia(size):
    from ohia.middleware.router import Router

    router = Router()
    for number in range(size // 2):
        router.get(f"/r{number}/items", answer)
        router.get(f"/r{number}/items/:id", answer)
    table = router._compile(checked=False)  # noqa: SLF001 - the match alone is timed

    def match(path):
        return table.fixed.get(("GET", path)) or table.match("GET", path)

    return match


def starlette(size):
    from starlette.routing import Match, Route, Router

    routes = []
    for number in range(size // 2):
        routes.append(Route(f"/r{number}/items", answer))
        routes.append(Route(f"/r{number}/items/{{id}}", answer))
    router = Router(routes)

    def match(path):
        scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
        for route in router.routes:
            result, child = route.matches(scope)
            if result is Match.FULL:
                return child
        raise LookupError(path)

    return match


def blacksheep(size):
    from blacksheep.server.routing import Router

    router = Router()
    for number in range(size // 2):
        router.add_get(f"/r{number}/items", answer)
        router.add_get(f"/r{number}/items/{{id}}", answer)

    router.apply_routes()
    router.sort_routes()
    search = Router.get_match_by_method_and_path.__wrapped__  # not what it keeps of last paths

    def match(path):
        found = search(router, "GET", path)
        if found is None:
            raise LookupError(path)
        return found

    return match


def nanoseconds(match, path):
    """Return the time of one `match(path)`, the best of several rounds."""
    match(path)
    timer = timeit.Timer(lambda: match(path))
    count, _ = timer.autorange()
    return min(timer.repeat(ROUNDS, count)) / count * 1e9


def measure():
    """Return the nanoseconds by router and kind of path, then by the number of routes."""
    found = {}
    for build in (ohia, starlette, blacksheep):
        try:
            tables = [build(size) for size in SIZES]
        except ImportError:
            print(f"{build.__name__} is not installed", file=sys.stderr)
            continue
        for kind, ending in (("static", ""), ("parameter", "/42")):
            paths = [f"/r{size // 2 - 1}/items{ending}" for size in SIZES]
            times = map(nanoseconds, tables, paths)
            found[f"{build.__name__}, {kind}"] = dict(zip(map(str, SIZES), times, strict=True))
    return found


def main():
    found = measure()
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    print(" " * 24 + "".join(f"{size:>12,}" for size in SIZES))
    for name, times in found.items():
        print(f"{name:24}" + "".join(f"{time:>9,.0f} ns" for time in times.values()))


if __name__ == "__main__":
    main()
