"""Where an installation keeps its state and finds data: the settings that the web process and the workers share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Places(BaseSettings):
    """Read once from the environment (prefix ``MTNAS_``), then passed.

    Attributes:
        home: folder of the database, the artifacts and the cache.
        database_url: SQLAlchemy address; a SQLite file below ``home`` when not set.
        data_roots: folders below which requests may name files (``MTNAS_DATA_ROOTS``, separated like ``PATH``).
    """

    model_config = SettingsConfigDict(env_prefix="MTNAS_", frozen=True, extra="ignore")

    home: Path = Path("var")
    database_url: str | None = None
    data_roots: Annotated[tuple[Path, ...], NoDecode] = ()

    @field_validator("data_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

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
