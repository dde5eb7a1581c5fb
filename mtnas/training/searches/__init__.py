"""What trains one supernet for all routes: policy gradient, gradients of architectures, one-shot, pruning.

Enters: a space and rows. Leaves: proposals, that is routes with inherited scores. ``make_search`` builds each by kind.
Reads ``feeding``, ``step`` and ``measuring``; sampled searchers, which need no torch, are in ``mtnas.search``.
"""
