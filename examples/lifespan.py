"""What is opened before the first request and closed after the last: a database, say."""

import sqlite3

from ohia import Ohia

app = Ohia()


@app.lifespan
async def database(_app):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE visit (path TEXT)")
    print("opened")
    yield {"database": connection}
    connection.close()
    print("closed")


@app.use
async def count(ctx):
    database = ctx.state.database
    database.execute("INSERT INTO visit VALUES (?)", [ctx.path])
    (visits,) = database.execute("SELECT count(*) FROM visit").fetchone()
    ctx.body = f"{visits} visits"


if __name__ == "__main__":
    app.run()
