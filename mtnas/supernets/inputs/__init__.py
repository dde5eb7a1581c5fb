"""From a batch to the vectors that the first layer reads: tables, wide products, alignment matrices.

Enters: a batch of features. Leaves: one vector per row and candidate.
"""
