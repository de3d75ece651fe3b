"""What finding a route costs, at 10, 100 and 1,000 of them: `python benchmarks/routing.py`.

Nanoseconds per match, in memory, without a request around it, the best of several rounds. Each
table has two routes per resource, `/r<n>/items` and `/r<n>/items/:id`; asked is for the last one.
Starlette and BlackSheep stand beside ohia where they are installed.
"""

# ruff: noqa: PLC0415, T201 - what is not installed is left out; it tells whoever waits

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

    def match(path):
        found = router.get_match_by_method_and_path("GET", path)
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


def main():
    print(f"{'':12}{'':12}" + "".join(f"{size:>12,}" for size in SIZES))
    for build in (ohia, starlette, blacksheep):
        try:
            tables = [build(size) for size in SIZES]
        except ImportError:
            print(f"{build.__name__:12}not installed")
            continue
        for kind, ending in (("static", ""), ("parameter", "/42")):
            paths = [f"/r{size // 2 - 1}/items{ending}" for size in SIZES]
            times = map(nanoseconds, tables, paths)
            print(f"{build.__name__:12}{kind:12}" + "".join(f"{time:>9,.0f} ns" for time in times))


if __name__ == "__main__":
    main()
