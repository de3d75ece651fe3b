"""The obligatory hello world.

python examples/hello.py
uvicorn examples.hello:app --no-proxy-headers
"""

from ohia import Ohia

app = Ohia()


@app.use
async def hello(ctx):
    ctx.body = "Hello World"


if __name__ == "__main__":
    app.run()  # port 3000, or what PORT says
