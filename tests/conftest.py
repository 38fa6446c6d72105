"""For all tests: its place here lets every room import the helpers beside it (`from paper_process import paper_process`)."""

import decimal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, or is thought up, says how busy the machine is and nothing about what is tested.
settings.register_profile("tradedesk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tradedesk")


@pytest.fixture(autouse=True)
def _exact_arithmetic() -> None:
    """Each test with Python's own decimal context: a bare ccxt client changes the rounding of the thread it runs on."""
    decimal.setcontext(decimal.Context())
