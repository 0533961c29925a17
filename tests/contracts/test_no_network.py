"""Tests are kept off the network, and the guard that does it works."""

from __future__ import annotations

import socket

import pytest

from tests._no_network import NetworkForbidden, forbid, is_here


def test_the_guard_is_on_for_every_test() -> None:
    forbid()
    with socket.socket() as connection, pytest.raises(NetworkForbidden):
        connection.settimeout(1)
        connection.connect(("192.0.2.1", 80))


def test_names_of_other_machines_are_not_looked_up() -> None:
    forbid()
    with pytest.raises(NetworkForbidden):
        socket.getaddrinfo("example.org", 443)


def test_this_machine_may_be_talked_to() -> None:
    forbid()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port), timeout=5):
            pass


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("127.8.9.1", True),
        (None, True),
        ("10.0.0.1", False),
        ("huggingface.co", False),
    ],
)
def test_what_counts_as_here(host: str | None, here: bool) -> None:
    assert is_here(host) is here
