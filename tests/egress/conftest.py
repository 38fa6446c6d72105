"""The helpers of tests/faults drive a whole desk; they are used here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "faults"))
