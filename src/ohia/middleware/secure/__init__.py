"""Security headers: `secure.py` the middleware, `policy.py` Content-Security-Policy."""

from ohia.middleware.secure.policy import DEFAULT_POLICY, NONCE
from ohia.middleware.secure.secure import secure

__all__ = ["DEFAULT_POLICY", "NONCE", "secure"]
