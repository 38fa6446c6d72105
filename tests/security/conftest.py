"""Lets these tests use the whole desk of tests/faults and the proxies of tests/egress."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent.parent / room) for room in ("faults", "egress")]
