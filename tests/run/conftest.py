"""One cache of encoded data for all jobs of this folder."""

from __future__ import annotations

import pytest

from mtnas.data import DataAccess


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    """Generated data needs no roots."""
    return DataAccess(cache=tmp_path_factory.mktemp("cache"))
