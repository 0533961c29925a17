"""Which URLs and addresses this server may be sent to by people who only give it a URL.

Knows the special ranges of IANA's registries (RFC 6890) and the ways to hide an address in a URL; opens no connection.
Whoever wants a private address names it in the settings; cloud metadata and link-local addresses stay refused even so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from core.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = frozenset({80, 443, 8080, 8443})
LONGEST_URL = 2_000

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_QUADS = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}")
_PATH_SAFE = "%/:=&?~#+!$,;'@()*[]-._"

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd20:ce::254")
)
"""Where clouds give keys to whoever asks from inside."""

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7")
)
"""What `allow_private` opens: private, carrier-grade NAT, loopback."""

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All unicast that was ever given out. IPv4-mapped, NAT64, link-local and multicast addresses lie outside."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart, safe to write into a request."""

    scheme: str
    host: str
    """Lower case ASCII; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query, ASCII."""
    literal: Address | None = None
    """The address, where the URL gives one instead of a name."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for two URLs to belong to one site."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own, as in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _usual_port(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its plain form."""
        return f"{self.scheme}://{self.authority}{self.path}"


def refusal(address: Address, *, allow_private: bool = False) -> str | None:
    """Why an address may not be connected to; None where it may."""
    if address in _METADATA:
        return "a metadata address"
    if any(address in network for network in _LOCAL if network.version == address.version):
        return None if allow_private else "a private or loopback address"
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return "a link-local, multicast or reserved address"
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return "a link-local, mapped or reserved address"
    return None


def read_url(url: str, *, ports: Collection[int] | None = PORTS) -> Target:
    """Take a URL apart and refuse what hides where it leads.

    :param ports: ports that may be used; None allows all.
    :raises InputError: if it is no http or https URL, holds a user name, an odd form of an address, or another port.
    """
    if len(url) > LONGEST_URL:
        raise InputError(f"The URL has {len(url):,} characters; {LONGEST_URL:,} are the most.")
    if not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        raise InputError(f"{shown(url)!r} holds white space, a backslash or a control character. Write it as %20.")
    if not url.lower().startswith(("http://", "https://")):
        raise InputError(f"{shown(url)!r} does not begin with http:// or https://.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    except (ValueError, UnicodeError) as error:
        raise InputError(f"{shown(url)!r} is no URL: {error}.") from error
    if "@" in parts.netloc:
        raise InputError(f"{shown(url)!r} holds a user name. Leave it out, or send a header.")
    port = _usual_port(parts.scheme) if port is None else port
    if not port or (ports is not None and port not in ports):
        allowed = ", ".join(str(p) for p in sorted(ports or ()))
        raise InputError(f"Port {port} of {shown(url)!r} is not allowed; allowed are {allowed}.")
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_SAFE)
    return Target(parts.scheme, host[0], port, path, host[1])


def shown(url: str) -> str:
    """A URL as messages and pages show it: no user name, no values in the query, not too long."""
    start, mark, query = url.partition("?")
    scheme, slashes, rest = start.partition("://")
    authority, slash, path = rest.partition("/")
    start = f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
    pairs = [pair.partition("=") for pair in query.partition("#")[0].split("&")]
    hidden = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in pairs) if mark else ""
    text = start + mark + hidden
    return text if len(text) <= 200 else text[:199] + "…"


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _host(name: str, *, bracketed: bool) -> tuple[str, Address | None]:
    """The host in plain form, and its address where it is one.

    :raises ValueError: if it is neither a name nor an address in its one usual form.
    """
    if bracketed:
        if "%" in name:
            raise ValueError("an address with a zone leads to this machine's own network")
        address = ipaddress.IPv6Address(name)
        return str(address), address
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    name = name.lower().removesuffix(".")
    if _QUADS.fullmatch(name):
        address4 = ipaddress.IPv4Address(name)
        return name, address4
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("an IPv4 address is written as four decimal numbers")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name[:80]!r} is no host name")
    return name, None
