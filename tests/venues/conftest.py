"""A paper exchange in a process of its own, shared by this room's tests."""

from collections.abc import Iterator
from typing import Any

import pytest
from paper_process import has_loopback_range, paper_process


@pytest.fixture(scope="session")
def paper() -> Iterator[dict[str, Any]]:
    if not has_loopback_range():
        pytest.skip("this machine has no further loopback addresses")
    with paper_process("--accounts", "3") as described:
        yield described
