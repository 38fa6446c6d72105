"""Proof of an exit: where it is seen from outside, asked by another library than the one that trades.

By an address echo of the operator's choosing: a URL that answers with the address it was asked from, as plain text. Where
there is none, an address of this machine is proved by the account's own connected socket, which a gateway may change.
"""

import asyncio
import ipaddress
import logging
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from tradedesk.access.egress import Egress
from tradedesk.access.exit_guard import tls_context

PROOF_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 256  # an address has at most 45
SOCKET = "socket"


class ExitProof(Struct, frozen=True, kw_only=True):
    """What one look at an exit brought."""

    exit: str  # without a password
    seen: str | None  # the address it was seen at
    how: str  # echo HOST, or socket
    problem: str | None = None  # why this proves nothing, or proves the wrong thing; None if the exit is proved


async def prove_exit(
    egress: Egress, expected: str | None, check_url: str | None, *, local: str | None = None
) -> ExitProof:
    """Ask from where the exit is seen, and compare with `expected` (None: any address will do). Never raises.

    `local` is what the account's connected socket says of itself; without `check_url` that is all there is to go by.
    """
    if check_url is None:
        if egress.proxy is not None:
            return _unproved(egress, "", "where a proxy lets out shows only from outside; set exit_check in desk.toml")
        if local is None:
            return _unproved(egress, SOCKET, "its connection does not tell its address")
        return _judged(egress, SOCKET, local, expected)
    how = f"echo {urlsplit(check_url).hostname}"
    said = await _asked(egress, check_url)
    if isinstance(said, ValueError):
        return _unproved(egress, how, str(said))
    return _judged(egress, how, said, expected)


def _judged(egress: Egress, how: str, seen: str, expected: str | None) -> ExitProof:
    problem = None
    if expected is not None and ipaddress.ip_address(seen) != ipaddress.ip_address(expected):
        problem = f"exit {egress} is seen at {seen}, not at {expected} (by {how})"
    return ExitProof(exit=str(egress), seen=seen, how=how, problem=problem)


def _unproved(egress: Egress, how: str, why: str) -> ExitProof:
    return ExitProof(exit=str(egress), seen=None, how=how, problem=f"exit {egress} could not be proved: {why}")


async def _asked(egress: Egress, url: str) -> str | ValueError:
    """The address that the echo at `url` names, or in a sentence of ours why it names none."""
    for name in ("httpx", "httpcore"):  # at DEBUG httpcore logs the password of a proxy
        logging.getLogger(name).setLevel(logging.WARNING)
    host = urlsplit(url).hostname
    body = b""
    try:
        async with (
            asyncio.timeout(PROOF_TIMEOUT_S),
            httpx.AsyncClient(transport=_transport(egress), trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, headers={"Accept": "text/plain", "Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status_code != 200:
                return ValueError(f"{host} answers with status {answer.status_code}")
            async for part in answer.aiter_raw(MAX_ANSWER_BYTES):  # never unpacked: a small answer may grow (F85)
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    break
    except (TimeoutError, httpx.TimeoutException):
        return ValueError(f"{host} does not answer through it in time")
    except Exception as error:  # each layer below has errors of its own for junk; none of them is an address
        return ValueError(f"{host} is not reached through it ({type(error).__name__})")
    try:
        return str(ipaddress.ip_address(body.decode("ascii").strip()))
    except ValueError:
        return ValueError(f"{host} answers with something that is no address")


def _transport(egress: Egress) -> httpx.AsyncHTTPTransport:
    proxy = egress.proxy
    if proxy is None:
        return httpx.AsyncHTTPTransport(verify=tls_context(), trust_env=False, local_address=egress.source)
    return httpx.AsyncHTTPTransport(
        verify=tls_context(),
        trust_env=False,
        proxy=httpx.Proxy(
            f"{proxy.scheme}://{proxy.place}",
            auth=(proxy.user, egress.password or "") if proxy.user else None,
            ssl_context=tls_context() if proxy.scheme == "https" else None,
        ),
    )
