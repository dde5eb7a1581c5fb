"""The catalogue of public data sets, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mtnas.data.catalogue.catalogue_set import CatalogueSet, SourceTable
from mtnas.data.catalogue.census_income import CENSUS_INCOME
from mtnas.data.catalogue.flights import FLIGHTS
from mtnas.data.catalogue.omniglot import OMNIGLOT
from mtnas.data.catalogue.planted import PLANTED

CATALOGUE: Mapping[str, CatalogueSet[Any]] = MappingProxyType(
    {known.name: known for known in (CENSUS_INCOME, FLIGHTS, OMNIGLOT, PLANTED)}
)

__all__ = ["CATALOGUE", "CatalogueSet", "SourceTable"]
