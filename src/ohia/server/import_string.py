"""An application by name, `package.module:name`: imported where it serves, and not before."""

import importlib
from typing import cast

from ohia.exchange import Handler

__all__ = ["check_import_string", "import_handler"]


def check_import_string(text: str) -> None:
    """Raise ValueError for what cannot be the name of a thing in a module.

    >>> check_import_string("shop.app:app")
    >>> check_import_string("shop/app.py")
    Traceback (most recent call last):
    ...
    ValueError: an import string is 'package.module:name', got 'shop/app.py'
    """
    module, _, name = text.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"an import string is 'package.module:name', got {text!r}")


def import_handler(text: str) -> Handler:
    """Import what `text` names; TypeError if it cannot serve, else the import's own errors."""
    module, _, name = text.partition(":")
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, type) or not hasattr(found, "handle"):
        raise TypeError(f"{text} is no application: {found!r}")
    return cast("Handler", found)  # what it does with an exchange shows then
