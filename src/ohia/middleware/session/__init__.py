"""Sessions: what an application remembers of one browser between requests.

`options.py` what can be chosen, `factory.py` the middleware, `model.py` the session that users
see, `keeper.py` how one request loads and saves it, `wire.py` its form in cookies and stores,
`memory.py` a store.
"""

from ohia.middleware.session.factory import session
from ohia.middleware.session.memory import MemoryStore
from ohia.middleware.session.model import Session
from ohia.middleware.session.options import SessionStore

__all__ = ["MemoryStore", "Session", "SessionStore", "session"]
