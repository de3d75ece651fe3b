"""Three middleware around one request, as coroutines: `await next()` goes downstream."""

from time import perf_counter

from ohia import Ohia

app = Ohia()


@app.use
async def response_time(ctx, next):
    start = perf_counter()
    await next()
    milliseconds = 1000 * (perf_counter() - start)
    ctx.set("X-Response-Time", f"{milliseconds:.0f}ms")


@app.use
async def logger(ctx, next):
    start = perf_counter()
    await next()
    milliseconds = 1000 * (perf_counter() - start)
    print(f"{ctx.method} {ctx.url} - {milliseconds:.0f}")


@app.use
async def response(ctx):
    ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()
