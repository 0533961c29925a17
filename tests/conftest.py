"""What all tests share: no network, and the exported models where a test asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import CoreSettings
from tests._no_network import forbid

forbid()


@pytest.fixture(scope="session")
def models_home() -> Path:
    """`TRIPTYCH_HOME` or `~/.triptych`, its models prepared if they are missing or old.

    For tests marked `models`: `CoreSettings(home=models_home)` opens them. Nothing else is written there.
    """
    from core.export.prepare import prepare

    settings = CoreSettings()
    prepare(settings)
    return settings.home
