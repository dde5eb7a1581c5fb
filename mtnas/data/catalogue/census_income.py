"""census-income: the Census-Income (KDD) set under the protocol of the MMoE paper (Ma et al., KDD 2018, section 6.3).

Group 1: income (main) and never married; group 2: education (main) and never married; "all": the three. Education and
marital status are inputs in neither group. We also keep income and the survey weight (``instance_weight``: UCI says it
is no feature) from the inputs. Integer codes are categories. "?" and "NA" are values of their own, as in the file.
Education counts as college from an associate's degree on: of the readings of the paper's "at least college" the one
whose correlation with never married (.2400) is nearest to the paper's (.2373).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from mtnas.data.access import DataAccess
from mtnas.data.catalogue.catalogue_set import CatalogueSet, SourceTable
from mtnas.data.catalogue.census_files import SHA256, census_files
from mtnas.data.columns.column import decoded
from mtnas.data.data_spec import ColumnSplit, Feature, Part
from mtnas.tasks import Task, TaskKind

if TYPE_CHECKING:
    from mtnas.data.columns.column_type import Column

_FORMAT = 2  # of what is derived below; part of the identity
_COLUMN_NAMES = """
age class_worker det_ind_code det_occ_code education wage_per_hour hs_college marital_stat major_ind_code
major_occ_code race hisp_origin sex union_member unemp_reason full_or_part_emp capital_gains capital_losses
stock_dividends tax_filer_stat region_prev_res state_prev_res det_hh_fam_stat det_hh_summ instance_weight
mig_chg_msa mig_chg_reg mig_move_reg mig_same mig_prev_sunbelt num_emp fam_under_18 country_father
country_mother country_self citizenship own_or_self vet_question vet_benefits weeks_worked year income_50k
"""
_COLUMNS = tuple(_COLUMN_NAMES.split())
_NUMERIC = ["age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked"]
_LABEL_SOURCES = ("income_50k", "marital_stat", "education")
_MAX_TEXTS = 1000  # different values of a text column; more than any has
_NO_INPUTS = (*_LABEL_SOURCES, "instance_weight")
_RICH = "50000+."
_NEVER_MARRIED = "Never married"
_COLLEGE = (
    "Associates degree-academic program",
    "Associates degree-occup /vocational",
    "Bachelors degree(BA AB BS)",
    "Masters degree(MA MS MEng MEd MSW MBA)",
    "Prof school degree (MD DDS DVM LLB JD)",
    "Doctorate degree(PhD EdD)",
)


class CensusIncomeOptions(Part):
    """Which tasks are the default ones; the rows are the same."""

    group: Literal[1, 2, "all"] = 1


def _labels(_: CensusIncomeOptions) -> tuple[Task, ...]:
    return tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("income", "marital", "education"))


def _tasks(options: CensusIncomeOptions) -> tuple[Task, ...]:
    income, marital, education = _labels(options)
    return {1: (income, marital), 2: (education, marital), "all": (income, marital, education)}[options.group]


def _features(_: CensusIncomeOptions) -> tuple[Feature, ...]:
    return tuple(
        Feature(column=name, kind="numeric" if name in _NUMERIC else "categorical")
        for name in _COLUMNS
        if name not in _NO_INPUTS
    )


def _split(_: CensusIncomeOptions) -> ColumnSplit:
    return ColumnSplit(column="file", train=("data",), test=("test",), halve_test=True, seed=0)


def _identity(_: CensusIncomeOptions, __: DataAccess) -> object:
    return {"format": _FORMAT, **SHA256}


def _read(_: CensusIncomeOptions, access: DataAccess) -> SourceTable:
    files = census_files(access)
    tables = [_parse(files[name], file=name.rsplit(".", 1)[1]) for name in SHA256]
    return SourceTable(table=pa.concat_tables(tables, promote_options="permissive"))


def _parse(content: bytes, *, file: str) -> pa.Table:
    raw = pc_csv.read_csv(
        io.BytesIO(content),
        read_options=pc_csv.ReadOptions(column_names=list(_COLUMNS), block_size=1 << 23),
        convert_options=pc_csv.ConvertOptions(
            strings_can_be_null=False, auto_dict_encode=True, auto_dict_max_cardinality=_MAX_TEXTS
        ),
    )
    columns: dict[str, Any] = {name: _trimmed(raw.column(name)) for name in _COLUMNS if name not in _LABEL_SOURCES}
    income, marital, education = (decoded(_trimmed(raw.column(name))) for name in _LABEL_SOURCES)
    columns["file"] = pa.chunked_array([pa.repeat(file, raw.num_rows)])
    columns["income"] = pc.equal(income, pa.scalar(_RICH)).cast(pa.int8())
    columns["marital"] = pc.equal(marital, pa.scalar(_NEVER_MARRIED)).cast(pa.int8())
    columns["education"] = pc.is_in(education, value_set=pa.array(_COLLEGE)).cast(pa.int8())
    return pa.table(columns)


def _trimmed(column: Column) -> Column:
    """Text without the blank that follows every comma of the file; numbers as they are."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column
    coded: list[Any] = column.chunks
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, pc.utf8_trim_whitespace(chunk.dictionary)) for chunk in coded
    ]
    return pa.chunked_array(chunks)


CENSUS_INCOME = CatalogueSet(
    name="census-income",
    title="Census-Income (KDD): income above 50,000 dollars, never married, college education",
    description=(
        "299,285 people of the Current Population Surveys of 1994 and 1995. Training rows are all of the .data file; "
        "valid and test are halves of the .test file, as in the MMoE paper. Group 1 (default): income and never "
        "married; group 2: education and never married; all: the three. Education, marital status, income and the "
        "survey weight are never inputs."
    ),
    licence="CC BY 4.0 (UCI); US Census Bureau, public domain",
    citation=(
        "Census-Income (KDD), UCI Machine Learning Repository, 2000, doi:10.24432/C5N30T; protocol: Ma et al., "
        "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, KDD 2018."
    ),
    homepage="https://archive.ics.uci.edu/dataset/117/census+income+kdd",
    num_rows=299_285,
    options=CensusIncomeOptions,
    tasks=_tasks,
    labels=_labels,
    features=_features,
    columns=("instance_weight", "file"),
    split=_split,
    identity=_identity,
    read=_read,
)
