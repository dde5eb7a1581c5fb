"""Banks: many equal sub-networks or towers as one module, applied as batched products.

Enters: ``[K, B, D]`` activations. Leaves: outputs per slot or task. ``supernet`` runs them in the order of ``plan``.
"""
