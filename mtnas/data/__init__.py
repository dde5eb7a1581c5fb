"""Reading, profiling, encoding and splitting of tabular data; the catalogue of public sets. No torch."""

from mtnas.data.access import DataAccess
from mtnas.data.catalogue import CATALOGUE, CatalogueSet
from mtnas.data.encoded import EncodedData
from mtnas.data.encoding.encode import EncodedRows, encode_rows
from mtnas.data.loading import load, profile
from mtnas.data.problem import Problem
from mtnas.data.profiles.profile import ColumnProfile, Profile
from mtnas.data.profiles.request_checks import check_against_profile
from mtnas.data.raw_rows import example_rows
from mtnas.data.schema import DataSchema

__all__ = [
    "CATALOGUE",
    "CatalogueSet",
    "ColumnProfile",
    "DataAccess",
    "DataSchema",
    "EncodedData",
    "EncodedRows",
    "Problem",
    "Profile",
    "check_against_profile",
    "encode_rows",
    "example_rows",
    "load",
    "profile",
]
