"""Tests of reading, profiling, encoding and splitting."""
