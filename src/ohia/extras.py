"""Libraries that not every user needs: extras of the package, imported where they are used."""

__all__ = ["missing"]


def missing(user: str, library: str, extra: str) -> ModuleNotFoundError:
    """Return the error for `user`, such as "compress()", whose `library` is not installed.

    >>> print(missing("views()", "jinja2", "views"))
    views() needs jinja2: pip install "ohia[views]"
    """
    return ModuleNotFoundError(f'{user} needs {library}: pip install "ohia[{extra}]"', name=library)
