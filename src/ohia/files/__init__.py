"""Files of a folder as responses: what `send` and `static` share.

A path of the client's becomes names, names become an open descriptor, and whatever is said of a
file comes from that descriptor: so what was checked is what is sent.
"""

from ohia.files.files import FileOptions, Files

__all__ = ["FileOptions", "Files"]
