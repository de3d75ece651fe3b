"""A middleware that answers without `yield next`: whatever stands behind it is left out."""

from ohia import Ohia

app = Ohia()


@app.use
def one(_ctx, next):
    print(">> one")
    yield next
    print("<< one")


@app.use
def two(ctx, _next):
    print(">> two")
    ctx.body = "two"
    print("<< two")


@app.use
def three(_ctx, next):
    print(">> three")
    yield next
    print("<< three")


if __name__ == "__main__":
    app.run()
