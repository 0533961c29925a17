"""The finance monitor's settings: what is one story, what counts for a company, how long things are kept."""

from __future__ import annotations

from pydantic import Field

from core.settings import CoreSettings


class FinanceSettings(CoreSettings):
    """`TRIPTYCH_*` variables of the finance monitor."""

    story_window_hours: float = Field(72.0, gt=0, le=24 * 31)
    """Hours within which a text that repeats another one belongs to the same story."""

    story_similarity: float = Field(0.6, ge=0.5, le=1)
    """Jaccard similarity of three-word runs (three characters in Chinese) from which on a text repeats another one."""

    relevance: float = Field(0.3, ge=0, le=1)
    """A text counts in the series of a company that it is about at least this much."""

    future_minutes: float = Field(10.0, ge=0, le=24 * 60)
    """A text dated further ahead of its arrival counts under its arrival, with a mark."""

    oldest_year: int = Field(1990, ge=1970, le=2100)
    """A text dated before this year counts under its arrival, with a mark."""

    companies: str = ""
    """A CSV file of your own companies, added to the shipped ones."""

    text_retention_days: int = Field(0, ge=0)
    """Texts older than this are deleted every hour; trends and alerts stay. 0 keeps them."""

    minute_retention_days: int = Field(35, ge=7)
    """Counts by the minute older than this are deleted every hour; counts by hour and day stay."""

    reopen_minutes: int = Field(120, ge=0, le=7 * 24 * 60)
    """A rule that fires again so soon after its alert was resolved reopens that alert: one incident stays one."""

    public_url: str = ""
    """Where people reach the server, as in `https://monitor.example.com`; notifications then link to their alert."""

    outbound_private: bool = False
    """Whether feeds and webhooks may lead to this machine or its network. Off, because whoever may add a feed could
    otherwise look around behind the firewall."""

    outbound_ports: tuple[int, ...] = ()
    """Ports that feeds and webhooks may use beside 80, 443, 8080 and 8443."""

    watch_folder: str = ""
    """Folder below which sources of kind folder may lie; empty allows none."""
