"""Requests and WebSockets to an application, in memory, in the test's own loop."""

from ohia.adapters.memory import ContractViolation, ResponseCut
from ohia.testing.client import Client, Response, Socket, StreamedResponse, UpgradeRefused

__all__ = [
    "Client",
    "ContractViolation",
    "Response",
    "ResponseCut",
    "Socket",
    "StreamedResponse",
    "UpgradeRefused",
]
