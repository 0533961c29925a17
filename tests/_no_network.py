"""Keeps tests off the network: connecting or sending to anything but this machine raises.

`tests/conftest.py` calls `forbid()` once. It is an audit hook of the interpreter, so that no library gets around it;
it cannot be taken out again in this process, and it does not reach into processes that a test starts.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

HERE = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "testserver"})
_state = {"installed": False}


class NetworkForbidden(RuntimeError):
    """A test reached for the network."""


def forbid() -> None:
    """Refuse every address but loopback from now on."""
    if not _state["installed"]:
        _state["installed"] = True
        sys.addaudithook(_watch)


def is_here(host: object) -> bool:
    """Whether a host is this machine."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.lower() in HERE:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not is_here(address[0]):
            raise NetworkForbidden(f"{event} to {address[0]}: tests use what is on this machine.")
    elif event == "socket.getaddrinfo" and not is_here(arguments[0]) and not _any_address(arguments[0]):
        raise NetworkForbidden(f"looking up {arguments[0]}: tests use what is on this machine.")


def _any_address(host: object) -> bool:
    """A literal address: reading it asks nobody, and connecting to it is refused above."""
    try:
        return bool(ipaddress.ip_address(str(host)))
    except ValueError:
        return False
