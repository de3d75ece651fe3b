"""Lines for programs: one JSON object each."""

import json
from datetime import UTC, datetime

from ohia.middleware.logger.entry import Entry

__all__ = ["json_format"]


def json_format(entry: Entry) -> str:
    """Return the entry as one line of ASCII; what is unknown or empty is left out."""
    ctx = entry.ctx
    fields: dict[str, object] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": entry.event,
        "method": ctx.method,
        "url": ctx.original_url,
        "route": getattr(ctx, "route", None),
        "status": entry.status,
        "outcome": entry.outcome,
        "ms": round(entry.seconds * 1000, 3),
        "bytes": entry.size if entry.event == "response" else None,
        "ip": ctx.ip,
        "request_id": ctx.request_id,
        "referrer": ctx.get("Referer"),
        "user_agent": ctx.get("User-Agent"),
        "error": None if entry.error is None else type(entry.error).__name__,
    }
    known = {name: value for name, value in fields.items() if value is not None and value != ""}
    return json.dumps(known, default=str).replace("\x7f", "\\u007f")
