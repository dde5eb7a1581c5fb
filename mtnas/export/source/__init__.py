"""Generating ``model.py``: names, blocks, gates, expressions, the constructor, ``forward``; and the weights' names.

Enters: a graph and its one route. Leaves: Python source as text, and tensors by the names it uses.
"""
