"""Several middleware as one, by hand: each is called with the next one as its `next`."""

import math
from random import randrange

from ohia import Ohia

app = Ohia()


def random(ctx, next):
    if ctx.path == "/random":
        ctx.body = randrange(10)  # noqa: S311 - a toy
    else:
        yield next


def backwards(ctx, next):
    if ctx.path == "/backwards":
        ctx.body = "sdrawkcab"
    else:
        yield next


def pi(ctx, next):
    if ctx.path == "/pi":
        ctx.body = str(math.pi)
    else:
        yield next


@app.use
def all(ctx, next):  # noqa: A001 - the name it has in the guide
    yield random(ctx, backwards(ctx, pi(ctx, next)))


if __name__ == "__main__":
    app.run()
