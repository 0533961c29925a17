"""HTTP for every app: factory, errors, limits, metrics, pages. Knows no app."""

from __future__ import annotations

from core.web.app import create_web_app
from core.web.part import Part
from core.web.settings import WebSettings

__all__ = ["Part", "WebSettings", "create_web_app"]
