"""Names of uploaded files: what a client calls a file is no path, and no name for a disk."""

import re

__all__ = ["is_plain_name", "safe_name"]

NOT_IN_NAME = re.compile(r"[/\\:\x00-\x1f\x7f]")
MAX_BYTES = 255  # of one name, in the file systems in use
UNSAFE = str.maketrans(dict.fromkeys('<>:"|?*', "_"))  # means something to Windows
DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}) | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"
}


def safe_name(given: str) -> str:
    r"""Return the last part of `given` as a name that any file system takes; "" if none is left.

    Folders of either kind of slash are cut off, and so are dots and blanks at both ends and what
    cannot be printed. A device's name (`CON`) gets an underscore. The extension survives the
    cut to 255 bytes.

    >>> safe_name("../../etc/passwd"), safe_name("C:\\a\\plan.txt"), safe_name("CON.txt")
    ('passwd', 'plan.txt', '_CON.txt')
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(filter(str.isprintable, last)).translate(UNSAFE).strip(". ")
    if name.partition(".")[0].rstrip().upper() in DEVICES:
        name = f"_{name}"
    return _fit(name)


def is_plain_name(segment: str) -> bool:
    r"""Say whether a decoded `segment` of a path is a file's name and nothing else, on any system.

    Not so are what is empty, holds a slash of either kind, a colon (a drive, a stream) or a
    control character, ends in a dot or blank, or names a device; dot segments among them.

    >>> [is_plain_name(each) for each in ("a.txt", ".env", "..", "a/b", "C:", "nul.txt", "a ")]
    [True, True, False, False, False, False, False]
    """
    return (
        bool(segment)
        and NOT_IN_NAME.search(segment) is None
        and segment[-1] not in ". "
        and segment.partition(".")[0].rstrip().upper() not in DEVICES
    )


def _fit(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    end = f"{dot}{extension}".encode()
    if not stem or len(end) > 32:  # no extension, but a name with a dot in it
        stem, end = name, b""
    cut = stem.encode()[: MAX_BYTES - len(end)] + end
    return cut.decode(errors="ignore").strip(". ")
