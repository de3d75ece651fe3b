"""Several middleware as one, by `compose`: what the application itself does with its list."""

import math
from random import randrange

from ohia import Ohia, compose

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


app.use(compose([random, backwards, pi]))

if __name__ == "__main__":
    app.run()
