"""For all tests: its place here lets every room import the helpers beside it (`from paper_process import paper_process`)."""

import decimal

import pytest


@pytest.fixture(autouse=True)
def _exact_arithmetic() -> None:
    """Each test with Python's own decimal context: a bare ccxt client changes the rounding of the thread it runs on."""
    decimal.setcontext(decimal.Context())
