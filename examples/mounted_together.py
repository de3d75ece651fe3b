"""Several applications as one larger one, under one server: by path, and by host.

Each keeps its own settings, keys, error listeners and lifespan.
"""

from ohia import Ohia
from ohia.middleware.mount import mount
from ohia.middleware.vhost import vhost

blog = Ohia()
shop = Ohia()
app = Ohia()


@blog.use
async def posts(ctx):
    ctx.body = f"The blog at {ctx.path}"


@shop.use
async def goods(ctx):
    ctx.body = f"The shop at {ctx.path}"


@app.use
async def logger(ctx, next):
    await next()
    print(ctx.method, ctx.host, ctx.url, ctx.status)


app.use(mount("/blog", blog), vhost({"shop.localhost": shop}))

if __name__ == "__main__":
    app.run()
