"""The wire, for each test a new one."""

import pytest

from .dialogue import Serve, Wire


@pytest.fixture
def wire(serve: Serve) -> Wire:
    return Wire(serve)
