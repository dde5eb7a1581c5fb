"""The search part of a job specification: kinds, their settings, and whether they fit a space. No torch.

Enters: what a user wrote. Leaves: legal values that ``run`` and ``training`` read.
"""
