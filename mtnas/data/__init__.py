"""Reading, profiling, encoding and splitting of tabular data; the catalogue of public sets. No torch."""
