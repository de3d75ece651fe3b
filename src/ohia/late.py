"""What `import ohia` leaves for later: modules that load slowly and that not every program needs.

Who needs one imports it in the function that does. Whoever serves requests loads them all before
the first, so that none waits for an import.
"""

from importlib import import_module

__all__ = ["load"]

LATE = (
    "concurrent.futures.thread",
    "hmac",
    "ipaddress",
    "json",
    "msgspec",
    "ohia.http.disposition",
    "ohia.http.forwarded",
    "ohia.http.mime_table",
    "ohia.http.origin",
    "ohia.http.query",
    "ohia.http.url",
    "pathlib",
    "urllib.parse",
)


def load() -> None:
    """Import them all."""
    for name in LATE:
        import_module(name)
