"""Lets these tests use the whole desk of tests/faults."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "faults"))
