"""The furthest downstream middleware may do without `next`: then nothing comes behind it."""

from ohia import Ohia

app = Ohia()


@app.use
def response(ctx):
    if ctx.url != "/":
        return
    ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()
