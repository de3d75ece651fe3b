"""Settings are attributes of the application, read when a request needs them."""

from ohia import Ohia

app = Ohia(name="shop")  # each may be given here as well
app.env = "development"  # else OHIA_ENV, else "development"
app.proxy = True  # trust X-Forwarded-*: only behind a proxy that sets them
app.subdomain_offset = 2  # of "tobi.ferrets.example.com" leave "example.com" out
app.json_spaces = 2  # None for compact JSON
app.output_errors = True  # print errors to stderr; else all but in env "test"


@app.use
async def show(ctx):
    ctx.body = {
        "name": app.name,
        "env": app.env,
        "protocol": ctx.protocol,
        "ip": ctx.ip,
        "subdomains": ctx.subdomains,
    }


if __name__ == "__main__":
    app.run()
