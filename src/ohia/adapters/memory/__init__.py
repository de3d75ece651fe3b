"""Exchanges without a server, for tests: both ends of a connection in one event loop."""

from ohia.adapters.memory.exchange import Head, MemoryExchange, ResponseCut
from ohia.adapters.memory.rules import ContractViolation
from ohia.adapters.memory.socket import MemorySocket

__all__ = ["ContractViolation", "Head", "MemoryExchange", "MemorySocket", "ResponseCut"]
