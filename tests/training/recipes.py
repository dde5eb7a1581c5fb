"""Recipes for tests."""

from __future__ import annotations

from mtnas.training.recipe import Recipe


def float64(*, epochs: int = 2) -> Recipe:
    """Short training in float64."""
    return Recipe(batch_size=32, epochs=epochs, precision="float64")
