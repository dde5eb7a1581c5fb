"""How well a pack does on a part of the data: metrics per task, and gains over single-task training.

Enters: a pack and rows. Leaves: figures per candidate. Reads ``feeding`` and ``supernets``.
"""
