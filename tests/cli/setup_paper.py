"""A paper exchange for setups: clients with good keys, one whose key can withdraw, one that signs with a private key."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from paper_process import paper_process

ACME_KEY, ACME_SECRET = "acmeKey000000000000000001", "acmeSecretQ7acmeSecretQ7acme"
BIRCH_KEY, BIRCH_SECRET = "birchKey00000000000000001", "birchSecretQ7birchSecretQ7bi"
RICH_KEY, RICH_SECRET = "richKey000000000000000001", "richSecretQ7richSecretQ7rich"
CEDAR_KEY = "cedarKey00000000000000001"
SECRETS = (ACME_KEY, ACME_SECRET, BIRCH_KEY, BIRCH_SECRET, RICH_KEY, RICH_SECRET, CEDAR_KEY)
ACCOUNTS = f"""
[[accounts]]
name = "acme"
api_key = "{ACME_KEY}"
secret = "{ACME_SECRET}"
addresses = ["127.0.0.2"]
rights = ["read", "spot"]
balances = {{ USDT = "100000", BTC = "2" }}

[[accounts.keys]]
api_key = "{RICH_KEY}"
secret = "{RICH_SECRET}"
addresses = ["127.0.0.2"]
rights = ["read", "spot", "withdraw"]

[[accounts]]
name = "birch"
api_key = "{BIRCH_KEY}"
secret = "{BIRCH_SECRET}"
addresses = ["127.0.0.3"]
rights = ["read", "spot"]
balances = {{ USDT = "5000" }}

[[accounts]]
name = "cedar"
api_key = "{CEDAR_KEY}"
public_key = '''
%s'''
addresses = ["127.0.0.4"]
rights = ["read", "spot"]
balances = {{ USDT = "5000" }}
"""


@contextmanager
def setup_paper(folder: Path) -> Iterator[dict[str, Any]]:
    """Its paper.v1 object, with `pem` added: the file with cedar's private key."""
    private = Ed25519PrivateKey.generate()
    pem = folder / "cedar.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    accounts = folder / "accounts.toml"
    accounts.write_text(ACCOUNTS % public)
    with paper_process("--accounts-file", str(accounts)) as paper:
        yield paper | {"pem": pem}
