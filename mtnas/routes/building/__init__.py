"""Graphs made of parts or of other graphs: layers, streams, image levels; narrower, relaxed, extended.

Enters: parameters or a graph. Leaves: a validated ``RouteGraph``. Schemes and search spaces are written with it.
"""
