"""The benchmark suite: every cell a job of the product, one tidy table of what they report.

    MTNAS_DATA_DIR=... make bench [ARGUMENTS="--quick --only census"]

Enters: public tables below ``MTNAS_DATA_DIR``, generated ones, and those of packages. Leaves: ``results/suite.parquet``
(``suite_quick.parquet``) and the page ``docs/benchmarks.md`` with its plot. What is in the table is not run again.
"""
