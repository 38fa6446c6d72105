"""Accounts of a paper exchange that may be used from any address: what a client by others needs, which binds no source."""

from pathlib import Path

BALANCES = '{ USDT = "1000000", BTC = "10", ETH = "100" }'


def open_accounts(path: Path, *names: str, public_keys: dict[str, str] | None = None) -> str:
    """Write them to `path` and return its name. HMAC, unless `public_keys` has the PEM of one."""
    text = ""
    for name in names:
        pem = (public_keys or {}).get(name)
        key = f'secret = "secret-of-{name}"' if pem is None else f'public_key = """{pem}"""'
        text += (
            f'[[accounts]]\nname = "{name}"\napi_key = "{name * 16}"\n{key}\naddresses = []\nbalances = {BALANCES}\n'
        )
    path.write_text(text)
    return str(path)
