"""One application as HTTP and as HTTPS at once.

openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
    -subj /CN=localhost -keyout key.pem -out cert.pem
CERTFILE=cert.pem KEYFILE=key.pem python examples/http_and_https.py
"""

import os

from ohia import Ohia, Server, run

app = Ohia()
PORT = int(os.environ.get("PORT", "3000"))
TLS = os.environ.get("CERTFILE", "cert.pem"), os.environ.get("KEYFILE", "key.pem")


@app.use
async def hello(ctx):
    ctx.body = f"Hello over {ctx.protocol}"


if __name__ == "__main__":
    plain = Server(app.callback()).listen(PORT)
    secure = Server(app.callback()).listen(PORT and PORT + 1, tls=TLS)  # 0 takes any free port
    run(plain, secure)
