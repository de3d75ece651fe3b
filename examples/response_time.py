"""How long does a request take to go through the chain? A middleware with a name."""

from time import perf_counter

from ohia import Ohia

app = Ohia()


def response_time(ctx, next):
    start = perf_counter()
    yield next
    milliseconds = 1000 * (perf_counter() - start)
    ctx.set("X-Response-Time", f"{milliseconds:.0f}ms")


app.use(response_time)

if __name__ == "__main__":
    app.run()
