"""The same middleware written where it is used: `app.use` works as a decorator."""

from time import perf_counter

from ohia import Ohia

app = Ohia()


@app.use
def _(ctx, next):
    start = perf_counter()
    yield next
    milliseconds = 1000 * (perf_counter() - start)
    ctx.set("X-Response-Time", f"{milliseconds:.0f}ms")


if __name__ == "__main__":
    app.run()
