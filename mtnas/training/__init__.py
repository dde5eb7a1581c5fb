"""Training packs of candidates: batches, noise, optimiser, losses, metrics and the loops that use them."""
