"""Parts of a request, timed by pyperf: `make bench-micro`, or `python benchmarks/micro.py --fast`.

Compare figures of one run only; the layers are given beside a guarded closure written by hand.
"""

import asyncio

import pyperf

from ohia import Ohia, compose
from ohia.exchange import Exchange
from ohia.http.headers import Headers

LAYERS = 10


class NullExchange:
    """A request to `/` whose answer goes nowhere."""

    method, target, mount_path, http_version = "GET", "/", "", "1.1"
    secure, client, server, scope = False, ("127.0.0.1", 1), ("127.0.0.1", 80), {}
    is_websocket, can_send = False, True

    def __init__(self):
        self.headers = Headers({"Host": "localhost"})

    def send_response(self, status, reason, headers, body):
        pass

    def close(self):
        pass


async def layer(ctx, next):
    await next()


def generator_layer(ctx, next):
    yield next


async def answer(ctx):
    ctx.body = "Hello World"


async def nothing(ctx):
    pass


def by_hand(layers):
    """Link `layers` by closures that refuse a second `next()`."""

    def link(run, following):
        def step(ctx):
            called = False

            def next():
                nonlocal called
                if called:
                    raise RuntimeError("next() called multiple times")
                called = True
                return following(ctx)

            return run(ctx, next)

        return step

    chain = nothing
    for each in reversed(layers):
        chain = link(each, chain)
    return chain


def app_of(*middleware):
    app = Ohia(env="production")
    app.use(*middleware, answer)
    return app


async def handle(app: Ohia, loops: int) -> None:
    exchanges: list[Exchange] = [NullExchange() for _ in range(loops)]
    for exchange in exchanges:
        await app.handle(exchange)


async def run(chain, loops: int) -> None:
    for _ in range(loops):
        await chain(None)


def timed(work, *args):
    def measure(loops: int) -> float:
        start = pyperf.perf_counter()
        asyncio.run(work(*args, loops))
        return pyperf.perf_counter() - start

    return measure


def main() -> None:
    runner = pyperf.Runner()
    runner.bench_time_func("hello, without a server", timed(handle, app_of()))
    runner.bench_time_func("hello, ten layers", timed(handle, app_of(*[layer] * LAYERS)))
    closures = by_hand([layer] * LAYERS)
    runner.bench_time_func("ten layers, closures by hand", timed(run, closures))
    composed = compose([layer] * LAYERS, checked=False)
    runner.bench_time_func("ten layers, async def", timed(run, composed))
    composed = compose([generator_layer] * LAYERS, checked=False)
    runner.bench_time_func("ten layers, generators", timed(run, composed))


if __name__ == "__main__":
    main()
