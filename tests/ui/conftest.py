"""Screens in tests look the same on every machine."""

import pytest


@pytest.fixture(autouse=True)
def _colours_as_shipped(monkeypatch):
    """NO_COLOR in the environment would fail every snapshot."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
