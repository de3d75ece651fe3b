"""JSON that is checked on its way in: what does not fit the type is a 400 that says why."""

from msgspec import Struct

from ohia import Ohia

app = Ohia()


class Ferret(Struct):
    """What the client sends."""

    name: str
    age: int = 0


@app.use
async def create(ctx):
    ferret = await ctx.request.json(Ferret)
    ctx.status = 201
    ctx.body = {"created": ferret, "next year": ferret.age + 1}


if __name__ == "__main__":
    app.run()
