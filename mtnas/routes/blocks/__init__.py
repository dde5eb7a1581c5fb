"""Blocks as data: what may fill a slot, its width and its cost, with the arithmetic of images and sequences.

Enters: numbers. Leaves: ``Block`` values. The bottom of ``routes``.
"""
