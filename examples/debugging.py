"""What the application does at start: `DEBUG=ohia* python examples/debugging.py`.

The list of its middleware, among other things, on stderr.
"""

from time import perf_counter

from ohia import Ohia

app = Ohia()


@app.use
def response_time(ctx, next):
    start = perf_counter()
    yield next
    ctx.set("X-Response-Time", f"{1000 * (perf_counter() - start):.0f}ms")


@app.use
def logger(ctx, next):
    yield next
    print(ctx.method, ctx.url, ctx.status)


@app.use
def content_length(ctx, next):
    yield next
    if ctx.body is not None:
        ctx.length = len(ctx.body)


@app.use
def notfound(ctx, next):
    yield next
    if ctx.body is None:
        ctx.throw(404, "Nothing here")


@app.use
def response(ctx):
    if ctx.path == "/":
        ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()
