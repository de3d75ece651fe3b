"""Several applications as one larger one, under one server: by path, and by host.

An application's chain is its list of middleware, so `compose` makes a middleware of it.
"""

from ohia import Ohia, compose

blog = Ohia()
shop = Ohia()
app = Ohia()


@blog.use
async def posts(ctx):
    ctx.body = f"The blog at {ctx.path}"


@shop.use
async def goods(ctx):
    ctx.body = f"The shop at {ctx.path}"


def under(prefix, mounted):
    chain = compose(mounted.middleware)

    async def under(ctx, next):
        path = ctx.path
        if path != prefix and not path.startswith(f"{prefix}/"):
            return await next()
        ctx.path = path.removeprefix(prefix) or "/"
        try:
            return await chain(ctx, next)
        finally:
            ctx.path = path

    return under


def at_host(hostname, mounted):
    chain = compose(mounted.middleware)

    async def at_host(ctx, next):
        return await (chain(ctx, next) if ctx.hostname == hostname else next())

    return at_host


@app.use
async def logger(ctx, next):
    await next()
    print(ctx.method, ctx.host, ctx.url, ctx.status)


app.use(under("/blog", blog), at_host("shop.localhost", shop))

if __name__ == "__main__":
    app.run()
