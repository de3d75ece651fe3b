"""Sockets to listen on: bound at once, so that an address is known, or taken, right away."""

import contextlib
import errno
import os
import socket
import ssl
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from ohia.exchange import Address

__all__ = [
    "Bound",
    "File",
    "Tls",
    "bind",
    "bind_unix",
    "chosen_host",
    "chosen_port",
    "inherit",
    "listen",
    "make_tls",
]

DEFAULT_PORT = 3000
DEFAULT_HOST = "127.0.0.1"

File = str | os.PathLike[str]

Tls = tuple[File, File] | ssl.SSLContext
"""Certificate and key as files, or a context."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens."""

    socket: socket.socket
    address: Address
    backlog: int
    maker: int | None = None
    """The process that bound it; None for a socket that was handed to us."""
    shares_port: bool = False
    """Whether other processes may listen on the same port with sockets of their own."""
    unix_file: tuple[Path, int] | None = None
    """The file that we made for it, and its inode."""

    def url(self, scheme: str) -> str:
        """Return where clients reach it; `unix:` and the path for a unix socket."""
        host, port = self.address
        if port is None:
            return f"unix:{quote(host, safe='/@')}"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def close(self) -> None:
        """Stop listening; remove the file, if it is still ours and not for other workers."""
        self.socket.close()
        if self.unix_file is None or self.maker != os.getpid():
            return
        path, inode = self.unix_file
        with contextlib.suppress(OSError):  # it is gone, or no longer for us to touch
            if path.stat().st_ino == inode:
                path.unlink()


def chosen_port(port: int | None) -> int:
    """Return `port`, else the environment's PORT, else 3000; ValueError for what is none."""
    if port is None:
        text = os.environ.get("PORT", "")
        if not text:
            return DEFAULT_PORT
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"PORT in the environment is no port number: {text!r}")
        port = int(text)
    if not isinstance(port, int):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"a port is an int, got {port!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"a port is 0 to 65535, got {port!r}")
    return port


def chosen_host(host: str | None) -> str:
    """Return `host`, else the environment's HOST, else 127.0.0.1."""
    return host or os.environ.get("HOST") or DEFAULT_HOST


def bind(host: str, port: int, *, backlog: int, reuse_port: bool) -> Bound:
    """Listen on a TCP port, 0 for a free one; OSError names the address that cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _told(error, f"{host}:{port}") from error
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # `::` is every address, as in Node
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        return replace(listen(listening, backlog), maker=os.getpid(), shares_port=reuse_port)
    except OSError as error:
        listening.close()
        raise _told(error, f"{host}:{port}") from error


def bind_unix(path: str | os.PathLike[str], *, backlog: int) -> Bound:
    """Listen on a unix socket; a file that a dead server left there is removed.

    A `path` that begins with `@` or NUL is a name without a file, on Linux (unix(7)).
    """
    name = os.fspath(path)
    is_abstract = name.startswith(("@", "\0"))
    file = Path(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not is_abstract:
            _remove_stale(file)
        listening.bind(f"\0{name[1:]}" if is_abstract else name)
        bound = replace(listen(listening, backlog), maker=os.getpid())
        return bound if is_abstract else replace(bound, unix_file=(file, file.stat().st_ino))
    except OSError as error:
        listening.close()
        raise _told(error, name) from error


def inherit(descriptor: int, *, backlog: int) -> Bound:
    """Listen on a descriptor that this process was started with; systemd's first is 3."""
    try:
        listening = socket.socket(fileno=descriptor)
        listening.set_inheritable(False)  # our children have no use for it
        return listen(listening, backlog)
    except OSError as error:
        raise _told(error, f"descriptor {descriptor}") from error


def listen(listening: socket.socket, backlog: int) -> Bound:
    """Listen on a socket that is bound, one that was handed to us, say."""
    listening.settimeout(0)
    listening.listen(backlog)
    known = listening.getsockname()
    if listening.family == getattr(socket, "AF_UNIX", None):
        return Bound(listening, (_unix_name(known), None), backlog)
    return Bound(listening, (known[0], known[1]), backlog)


def _unix_name(known: str | bytes) -> str:
    """Return a path, or the name of a socket without a file as it is usually shown."""
    name = os.fsdecode(known)
    return f"@{name[1:]}" if name.startswith("\0") else name


def make_tls(tls: Tls) -> ssl.SSLContext:
    """Return the context of `(certfile, keyfile)`, or the given one, set to speak HTTP/1.1."""
    if isinstance(tls, ssl.SSLContext):
        context = tls
    else:
        try:
            certificate, key = tls
        except (TypeError, ValueError):
            raise TypeError(f"tls is (certfile, keyfile) or an SSLContext, got {tls!r}") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, certificate: File, key: File) -> None:
    names = f"the certificate {os.fspath(certificate)} and the key {os.fspath(key)}"

    def refuse() -> str:
        raise ValueError(f"cannot use {names}: the key is encrypted; give an SSLContext")

    try:
        # Without a function OpenSSL would ask at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=refuse)
    except OSError as error:  # ssl.SSLError is one
        raise type(error)(error.errno, f"cannot use {names}: {error.strerror}") from error


def _remove_stale(file: Path) -> None:
    """Remove the socket file that nobody listens on; OSError if somebody does."""
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(file))
        except ConnectionRefusedError:
            file.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _told(error: OSError, address: str) -> OSError:
    """Return an error of the same kind that names the address."""
    return type(error)(error.errno, f"cannot listen on {address}: {error.strerror}")
