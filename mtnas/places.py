"""Where an installation keeps its state and finds data: the settings that the web process and the workers share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mtnas.docstrings import attributes_of


class Places(BaseSettings):
    """Read once from the environment (prefix ``MTNAS_``), then passed.

    Attributes:
        home: folder of the database, the artifacts and the cache.
        database_url: SQLAlchemy address; a SQLite file below ``home`` when not set.
        data_urls: addresses in object stores below which requests may name files (``s3://bucket/folder``), separated
            by commas; the processes' own credentials are used.
        data_roots: folders below which requests may name files (``MTNAS_DATA_ROOTS``, separated like ``PATH``).
    """

    model_config = SettingsConfigDict(env_prefix="MTNAS_", frozen=True, extra="ignore")

    home: Path = Path("var")
    database_url: str | None = None
    data_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    data_urls: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("data_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("data_urls", mode="before")
    @classmethod
    def _split_urls(cls, value: Any) -> Any:
        return split_commas(value)

    @property
    def database(self) -> str:
        """The database's address, the default resolved."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'mtnas.sqlite'}"

    @property
    def artifacts(self) -> Path:
        """Folder of files named by their sha256."""
        return self.home / "artifacts"

    @property
    def cache(self) -> Path:
        """Folder of encoded data; may be deleted at any time."""
        return self.home / "cache"


def split_commas(value: Any) -> Any:
    """The parts of a text that commas divide; other values as they are."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def describe(settings: Places) -> list[dict[str, Any]]:
    """Every setting: its variable, its value as text, whether the environment sets it, and what it is.

    Passwords and hashes of tokens are not told.
    """
    told = attributes_of(type(settings))
    return [
        {
            "variable": f"MTNAS_{name.upper()}",
            "value": _shown(name, getattr(settings, name)),
            "is_set": name in settings.model_fields_set,
            "what": told[name],
        }
        for name in type(settings).model_fields
    ]


def _shown(name: str, value: Any) -> str:
    if name == "token_hashes":
        return f"{len(value)} of them"
    if name == "database_url" and value is not None:
        from sqlalchemy import make_url

        return make_url(value).render_as_string(hide_password=True)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
