"""The thirteen steps of the onion: capture on the way in, bubble on the way out."""

from time import perf_counter

from ohia import Ohia

app = Ohia()


@app.use
def response_time(ctx, next):
    print(" 1 take the time, to track how long all takes")
    start = perf_counter()
    print(" 2 yield control to the next middleware")
    yield next
    print("12 set X-Response-Time before the response")
    ctx.set("X-Response-Time", f"{1000 * (perf_counter() - start):.0f}ms")
    print("13 hand off to ohia, which sends the response")


@app.use
def logger(ctx, next):
    print(" 3 take the time again, for the log")
    start = perf_counter()
    print(" 4 yield control to the next middleware")
    yield next
    print(f"11 log: {ctx.method} {ctx.url} - {1000 * (perf_counter() - start):.0f}ms")


@app.use
def content_length(ctx, next):
    print(" 5 yield at once: content_length works on responses only")
    yield next
    print(" 9 leave Content-Length alone where there is no body")
    if ctx.body is None:
        return
    print("10 set the field")
    ctx.length = len(ctx.body)


@app.use
def response(ctx, next):
    print(" 6 yield to the no-op that stands behind the last middleware")
    yield next
    print(" 7 leave the body alone unless the path is /")
    if ctx.path != "/":
        return
    print(" 8 set the response to Hello World")
    ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()
