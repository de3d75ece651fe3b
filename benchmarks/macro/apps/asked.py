"""What the benchmark asks of a program, and what every program answers with."""

import os

PORT = int(os.environ["PORT"])
WORKLOAD = os.environ["WORKLOAD"]
LAYERS = int(os.environ.get("LAYERS", "0"))  # middleware that only pass on
WORKERS = int(os.environ.get("WORKERS", "1"))

HELLO = "Hello World"
PIECE = b"x" * (64 * 1024)
MAX_BODY = 32 * 1024 * 1024
BINARY = "application/octet-stream"


def document():
    return {
        "id": 1,
        "name": "ohia",
        "tags": ["a", "b", "c"],
        "price": 9.99,
        "nested": {"ok": True, "none": None},
    }


async def pieces():
    for _ in range(16):
        yield PIECE
