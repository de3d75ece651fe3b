"""A middleware's name is its function's: it stands in the debug log and in error messages.

DEBUG=ohia* python examples/named.py
"""

from ohia import Ohia

app = Ohia()


def logger(prefix):
    def logger(ctx, next):
        print(prefix, ctx.path)
        yield next

    return logger


def nameless(prefix):
    return lambda ctx: print(prefix, ctx.path)


app.use(logger("named:"))
app.use(nameless("nameless:"))

if __name__ == "__main__":
    app.run()
