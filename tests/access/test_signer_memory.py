"""What a desk's process has in its memory of a key that a signer process holds: nothing of it, before and after signing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tradedesk.access.vault import Secret, open_vault

PASSPHRASE = "correct horse battery"
HALVES = ("CANARYsecret", "D4e5F6g7H8i9")  # never whole in what the desk's process is given or does
DESK = """
import sys
from pathlib import Path
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.signer_process import start_signer
from tradedesk.access.vault import open_vault

def found():
    halves = [half.encode() for half in sys.argv[4:]]
    hits = 0
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if "r" not in rights or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(each, 16) for each in span.split("-"))
            memory.seek(start)
            try:
                content = memory.read(end - start)
            except OSError:
                continue
            place = content.find(halves[0])
            while place >= 0:
                hits += content[place + len(halves[0]):].startswith(halves[1])
                place = content.find(halves[0], place + 1)
            del content
    return hits

vault = open_vault(Path(sys.argv[1]), Path(sys.argv[2]))
seat = KeySeat(vault, "acme", "binance", in_process=sys.argv[3] == "process")
if sys.argv[3] == "process":
    signer = start_signer(seat.source)
    signer.sign("symbol=BTCUSDT&timestamp=1764000000000")
print(found())
"""


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="this system does not show a process its own memory")
@pytest.mark.parametrize(("signer", "is_there"), [("process", False), ("thread", True)])
def test_a_desk_has_no_key_in_its_memory_that_a_signer_process_holds(
    tmp_path: Path, signer: str, is_there: bool
) -> None:
    """With the key in a thread of the desk it is found: the search does search."""
    words = tmp_path / "words"
    words.write_text(PASSPHRASE)
    words.chmod(0o600)
    open_vault(tmp_path / "vault", PASSPHRASE, create=True).put("acme", "binance", Secret("KEYacme", "".join(HALVES)))
    command = [sys.executable, "-c", DESK, str(tmp_path / "vault"), str(words), signer, *HALVES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) > 0) == is_there
