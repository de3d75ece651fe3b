"""The two sides of a ctx around ASGI middleware."""

from ohia import Context
from ohia.foreign.inner import SIDE

# What both sides have: the application, what ends with the request, and views without state.
SHARED = {"app", "_on_detach", "_on_finished", "_sources", "_state", "_sticky"} | {
    "_request_view",
    "_response_view",
}


def test_each_slot_of_a_context_belongs_to_a_side_or_to_both() -> None:
    assert set(SIDE) | SHARED == set(Context.__slots__)
    assert not set(SIDE) & SHARED
