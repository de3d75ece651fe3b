"""A line per request at its end, on a terminal one at its beginning too.

`factory.py` the middleware, `entry.py` what is known of a request, `dev.py`, `tokens.py` and
`json_lines.py` its forms.
"""

from ohia.middleware.logger.entry import Entry
from ohia.middleware.logger.factory import logger

__all__ = ["Entry", "logger"]
