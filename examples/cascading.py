"""Three middleware around one request: downstream until the last, then back upstream.

These are generators: `yield next` goes downstream. `cascading_async.py` says the same with
`async def`; both kinds mix freely in one chain.
"""

from time import perf_counter

from ohia import Ohia

app = Ohia()


@app.use
def response_time(ctx, next):
    start = perf_counter()
    yield next
    milliseconds = 1000 * (perf_counter() - start)
    ctx.set("X-Response-Time", f"{milliseconds:.0f}ms")


@app.use
def logger(ctx, next):
    start = perf_counter()
    yield next
    milliseconds = 1000 * (perf_counter() - start)
    print(f"{ctx.method} {ctx.url} - {milliseconds:.0f}")


@app.use
def response(ctx):
    ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()
