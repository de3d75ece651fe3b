"""rate_limit: so many requests per client and time, counted by the `limits` package."""

from ohia.middleware.rate_limit.client import client_id
from ohia.middleware.rate_limit.rate_limit import rate_limit

__all__ = ["client_id", "rate_limit"]
