"""A middleware with options: a function that takes them and returns the middleware."""

from ohia import Ohia

app = Ohia()


def logger(format=':method ":url"'):
    def logger(ctx, next):
        print(format.replace(":method", ctx.method).replace(":url", ctx.url))
        yield next

    return logger


app.use(logger())
app.use(logger(":method :url"))

if __name__ == "__main__":
    app.run()
