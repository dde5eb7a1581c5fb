"""One training step of a pack: objective, losses, noise, balancers, optimiser, schedule, and what joins them.

Enters: a pack's outputs on a batch. Leaves: changed weights. Nothing here waits for the device.
Reads ``feeding`` and ``supernets``; trainers and searches put it together.
"""
