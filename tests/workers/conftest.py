"""One token for all Ray clusters of a test process: Ray reads it once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.ray.cluster import TOKEN_VARIABLE, write_token


@pytest.fixture(scope="session")
def _token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_token(tmp_path_factory.mktemp("token"))


@pytest.fixture(scope="module")
def ray_token(_token: Path) -> Iterator[Path]:
    """The token's file, which the environment names as long as the module's tests run."""
    os.environ |= {TOKEN_VARIABLE: str(_token), "RAY_AUTH_MODE": "token"}
    yield _token
    del os.environ[TOKEN_VARIABLE]
