"""A useless application: it listens, and finds nothing.

`listen` binds at once and returns the server, `run` serves until SIGINT or SIGTERM.
`app.run()` is both in one.
"""

from ohia import Ohia

app = Ohia()

if __name__ == "__main__":
    server = app.listen()
    server.run()
