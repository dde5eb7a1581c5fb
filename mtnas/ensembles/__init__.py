"""Ensembles: trees and linear models as tensors, and which trained members answer together.

In go members' predictions on ``valid`` and fitted models; out come weights of members, and outputs for rows. Numpy and
torch; reads ``training`` for metrics, and neither journals nor executors.
"""
