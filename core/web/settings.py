"""What the HTTP server listens on, whom it serves and how much at once."""

from __future__ import annotations

from urllib.parse import urlsplit

from limits import parse
from pydantic import Field, SecretStr, field_validator

from core.settings import Settings


class WebSettings(Settings):
    """The HTTP side of every app."""

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` serves the network: set `admin_key` then."""

    port: int = Field(8000, ge=0, le=65535)
    """TCP port; 0 takes a free one."""

    allowed_origins: tuple[str, ...] = ()
    """Sites that may carry the widget and call the chat endpoint from a browser, as in `["https://www.example.com"]`;
    `*` means every site. Empty: this server's own pages only."""

    chat_rate_limit: str = "60/minute"
    """Questions that one address may ask, as in `60/minute` or `5/second`; empty means no limit. IPv6 counts by /64."""

    admin_key: SecretStr | None = None
    """Bearer key that changing or listing documents asks for. None leaves that open to whoever reaches the port."""

    docs: bool = True
    """Serve the API description at `/docs`, from this machine alone."""

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            plain = f"{parts.scheme}://{parts.netloc}" == origin and parts.scheme in {"http", "https"}
            if origin != "*" and not (plain and parts.netloc):
                raise ValueError(
                    f"{origin!r} is no origin; write scheme and host only, as in 'https://www.example.com'"
                )
        return tuple(origin.lower() for origin in origins)

    @field_validator("chat_rate_limit")
    @classmethod
    def _rate(cls, rate: str) -> str:
        if rate:
            try:
                parse(rate)
            except ValueError as error:
                raise ValueError(f"{rate!r} is no rate; write as in '60/minute' or '5/second'") from error
        return rate
