"""Tests of the catalogue of public sets."""
