"""HTTP requests to URLs that people give: feeds that are read, webhooks that are called.

A URL may not lead to this machine or its network (`core.web.addresses` says which addresses those are). The name is
looked up here, all its addresses are checked, and the connection goes to a checked one, so that a name which changes
its answer in between gains nothing; certificates are checked against the name. Every redirect is a new URL, checked
anew. Time, size, unpacked size and number of redirects are bounded. Proxies, cookies and the environment are not used.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin

from core.errors import InputError, SuiteError, TooLarge, Unavailable
from core.web.addresses import PORTS, Target, read_url, refusal, shown

MAX_BYTES = 16 * 2**20
REDIRECTS = 5
AGENT = "triptych/0.1"
ADDRESSES = 4
"""Addresses of one name that are tried, one after the other."""

Resolve = Callable[[str, int], Sequence[str]]
"""Name and port -> addresses. May block; may raise OSError."""

_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "upgrade", "te"})
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; values of a header that comes twice are joined by a comma."""
    body: bytes
    """Unpacked."""
    url: str
    """Where it came from, after redirects."""


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 20.0,
    max_bytes: int = MAX_BYTES,
    allow_private: bool = False,
    ports: Collection[int] | None = PORTS,
    resolve: Resolve | None = None,
    context: ssl.SSLContext | None = None,
) -> Response:
    """One request, with its redirects. Blocking; every status is an answer and not an error.

    A GET follows redirects; other methods follow only 307 and 308, and only within the same site, so that a body
    never goes where it was not meant to. To another site go none of `headers` but Accept, Accept-Language, User-Agent.

    :param timeout: seconds for all of it: names, redirects, and the last byte.
    :param max_bytes: of the body, unpacked.
    :param allow_private: private and loopback addresses too, for a desk's own servers; never metadata addresses.
    :param ports: ports that may be used; None allows all.
    :param resolve: looks names up; the system's own where left out.
    :param context: TLS settings; the system's certificates where left out.
    :raises InputError: if the URL is none, or leads where it may not.
    :raises TooLarge: if the answer is larger than `max_bytes`.
    :raises Unavailable: if there is no whole answer in time.
    """
    deadline = time.monotonic() + timeout
    target = read_url(url, ports=ports)
    given = _checked(headers or {})
    for _ in range(REDIRECTS + 1):
        addresses = _addresses(target, allow_private, resolve or _system, deadline)
        response = _exchange(target, addresses, method, given, body, deadline, max_bytes, context)
        place = response.headers.get("location")
        again = response.status in (307, 308) or (response.status in (301, 302, 303) and method in ("GET", "HEAD"))
        if not again or not place:
            return response
        before, target = target, read_url(urljoin(target.url, place), ports=ports)
        if before.scheme == "https" and target.scheme == "http":
            raise InputError(f"{shown(url)} leads from https to {shown(target.url)}. Give an https URL.")
        if target.origin != before.origin:
            if method not in ("GET", "HEAD"):
                raise InputError(f"{shown(url)} leads to another site, {shown(target.url)}. Give that URL instead.")
            given = {name: value for name, value in given.items() if name.lower() in _HARMLESS}
    raise Unavailable(f"{shown(url)} leads on and on: more than {REDIRECTS} redirects.")


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OURS or not name.isascii() or not name.replace("-", "").isalnum():
            raise InputError(f"The header {name[:60]!r} cannot be set.")
        if not (value.isascii() and value.isprintable()):
            raise InputError(f"The value of the header {name} holds characters that no header may have.")
    return dict(headers)


def _addresses(target: Target, allow_private: bool, resolve: Resolve, deadline: float) -> list[str]:
    """The addresses of a host, all of them checked."""
    if target.literal is not None:
        found: Sequence[str] = [str(target.literal)]
    else:
        found = _in_time(lambda: resolve(target.host, target.port), deadline, target.host)
    checked = []
    for text in found:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise InputError(f"{target.host} leads to {text!r}, which may not be asked.") from None
        reason = refusal(address, allow_private=allow_private)
        if reason is not None:
            raise InputError(f"{target.host} leads to {address}, {reason}, which may not be asked.")
        checked.append(str(address))
    if not checked:
        raise Unavailable(f"{target.host} has no address.")
    return list(dict.fromkeys(checked))[:ADDRESSES]


def _system(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _in_time(work: Callable[[], Sequence[str]], deadline: float, host: str) -> Sequence[str]:
    """The system looks names up without a limit of time; a thread that hangs is left behind."""
    result: list[Sequence[str] | Exception] = []

    def run() -> None:
        try:
            result.append(work())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run, name=f"resolve {host}", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not result:
        raise Unavailable(f"Looking up {host} took too long.")
    if isinstance(result[0], (OSError, UnicodeError)):
        raise Unavailable(f"{host} is not found: {_reason(result[0])}.")
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def _exchange(
    target: Target,
    addresses: Sequence[str],
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: float,
    max_bytes: int,
    context: ssl.SSLContext | None,
) -> Response:
    where = shown(target.url)
    try:
        with _connect(target, addresses, deadline, context) as link:
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.sock = _Timed(link, deadline)
            connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
            ours = {"Host": target.authority, "Connection": "close", "Accept-Encoding": "gzip, deflate"}
            if body is not None:
                ours["Content-Length"] = str(len(body))
            if not any(name.lower() == "user-agent" for name in headers):
                ours["User-Agent"] = AGENT
            for name, value in (ours | dict(headers)).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in answer.getheaders():
                key = name.lower()
                found[key] = f"{found[key]}, {value}" if key in found else value
            content = _body(answer, found.get("content-encoding", ""), max_bytes, where)
            return Response(answer.status, MappingProxyType(found), content, target.url)
    except SuiteError:
        raise
    except TimeoutError as error:
        raise Unavailable(f"{where} did not answer in time.") from error
    except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
        raise Unavailable(f"{where} gave no whole answer: {_reason(error)}.") from error


def _connect(
    target: Target, addresses: Sequence[str], deadline: float, context: ssl.SSLContext | None
) -> socket.socket:
    """A connection to one of the checked addresses."""
    last: OSError | None = None
    for i, address in enumerate(addresses):
        share = _left(deadline) / (len(addresses) - i)
        try:
            link = socket.create_connection((address, target.port), timeout=share)
        except OSError as error:
            last = error
            continue
        try:
            if target.scheme == "http":
                return link
            link.settimeout(_left(deadline))
            return (context or ssl.create_default_context()).wrap_socket(link, server_hostname=target.host)
        except BaseException:
            link.close()
            raise
    assert last is not None
    raise last


def _body(answer: http.client.HTTPResponse, encoding: str, limit: int, where: str) -> bytes:
    names = [name.strip().lower() for name in encoding.split(",") if name.strip().lower() not in ("", "identity")]
    if len(names) > 1 or (names and names[0] not in ("gzip", "x-gzip", "deflate")):
        raise Unavailable(f"{where} answers packed as {encoding[:40]!r}, which was not asked for.")
    unpack: Any = zlib.decompressobj(47) if names else None  # finds gzip and zlib by itself
    content = bytearray()
    first = True
    while chunk := answer.read1(_CHUNK):
        if unpack is None:
            content += chunk
        else:
            if first and names[0] == "deflate" and chunk[0] & 0x0F != 8:
                unpack = zlib.decompressobj(-15)  # some servers leave the zlib header out
            content += unpack.decompress(chunk, limit + 1 - len(content))
        first = False
        if len(content) > limit:
            raise TooLarge(f"{where} is over {limit:,} bytes.")
    if answer.length:
        raise Unavailable(f"{where} broke off; {answer.length:,} bytes are missing.")
    if unpack is not None and not first and not unpack.eof:
        raise Unavailable(f"{where} broke off inside what was packed.")
    return bytes(content)


class _Timed:
    """A socket whose every wait ends at one deadline, so that an answer that trickles in ends too."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def sendall(self, data: bytes) -> None:
        self._link.settimeout(_left(self._deadline))
        self._link.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._link, self._deadline), _CHUNK)

    def close(self) -> None:
        """The owner of the socket closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(_left(self._deadline))
        return self._link.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _reason(error: BaseException) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:200].rstrip(".") or type(error).__name__
