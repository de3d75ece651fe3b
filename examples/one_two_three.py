"""A middleware that answers and still goes downstream: all three run, the answer is "two".

The last `yield next` meets a no-op, so a middleware may stand anywhere in the chain.
"""

from ohia import Ohia

app = Ohia()


@app.use
def one(_ctx, next):
    print(">> one")
    yield next
    print("<< one")


@app.use
def two(ctx, next):
    print(">> two")
    ctx.body = "two"
    yield next
    print("<< two")


@app.use
def three(_ctx, next):
    print(">> three")
    yield next
    print("<< three")


if __name__ == "__main__":
    app.run()
