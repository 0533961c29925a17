"""Settings: environment over TOML over defaults, frozen, every field with its unit and range.

Read when a command or a server starts, never at import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

Provider = Literal["cpu", "cuda", "tensorrt"]
Precision = Literal["auto", "int8", "fp16", "fp32"]


class Settings(BaseSettings):
    """Base of every settings class: `TRIPTYCH_*` variables, then the file named by `TRIPTYCH_CONFIG`, then defaults."""

    model_config = SettingsConfigDict(
        env_prefix="TRIPTYCH_", env_nested_delimiter="__", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then TOML."""
        toml = Path(os.environ.get("TRIPTYCH_CONFIG", "triptych.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=toml)


class CoreSettings(Settings):
    """What all apps share: where things lie, what runs the models, how much at once."""

    home: Path = Field(default_factory=lambda: Path.home() / ".triptych")
    """Folder of models, database and indexes."""

    database_url: str | None = None
    """SQLAlchemy URL; none means SQLite in `home`. `postgresql+psycopg://user@host/name` needs the extra `postgres`."""

    threads: int = Field(2, ge=1, le=256)
    """CPU threads a model may use. Two processes with as many threads as cores slow each other about ten times."""

    provider: Provider = "cpu"
    """What runs the models. Asking for `cuda` where only the CPU answers is an error, not a warning."""

    precision: Precision = "auto"
    """Encoder precision; `auto` is int8 on the CPU and fp16 on CUDA."""

    encoder: str = "minilm"
    """English encoder: a catalog name, a local folder or a hub id."""

    multilingual_encoder: str = "use-m3"
    """Encoder for Chinese and across languages: a catalog name, a local folder or a hub id."""

    generator: str = "smollm2"
    """Generator: a catalog name or a local folder; `none` always quotes; with `generator_url` the remote model."""

    generator_url: str | None = None
    """Base URL of an OpenAI-compatible server, as in `http://127.0.0.1:11434/v1`; replaces the embedded generator."""

    generator_api_key: SecretStr | None = None
    """Key for that server, where it asks for one."""

    generator_languages: tuple[str, ...] = ()
    """Languages the remote generator writes well; empty means English and Chinese."""

    generator_timeout: float = Field(30.0, gt=0, le=600)
    """Seconds a remote generator may stay silent before it counts as unavailable."""

    queue_size: int = Field(256, ge=1, le=100_000)
    """Encoding requests that may wait; one more is answered 429 with Retry-After."""

    generation_queue_size: int = Field(16, ge=0, le=10_000)
    """Generations that may wait while one runs; one more is answered 429 with Retry-After."""

    max_body_bytes: int = Field(32 * 2**20, ge=1024)
    """Largest request body, in bytes."""

    log_format: Literal["console", "json"] = "console"
    """Lines for people, or one JSON object a line."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'triptych.db'}"

    @property
    def models_folder(self) -> Path:
        """Where published models lie."""
        return self.home / "models"


def describe(cls: type[Settings]) -> list[dict[str, Any]]:
    """Name, environment variable, default and description of every field, for the docs and `doctor`."""
    return [
        {
            "name": name,
            "variable": f"{cls.model_config.get('env_prefix', '')}{name}".upper(),
            "default": None if field.is_required() else field.get_default(call_default_factory=True, validated_data={}),
            "description": field.description or "",
        }
        for name, field in cls.model_fields.items()
    ]
