"""Router: which middleware answers which method and path.

`router.py` is what users write to, `pattern.py` reads path templates, `trie.py` matches them,
`table.py` makes a chain of what matched.
"""

from ohia.middleware.router.router import Route, Router

__all__ = ["Route", "Router"]
