"""What is said of trained entrants: figures, statistics, fronts, boosted trees, latency, diagnostics.

Enters: evaluations and trained networks. Leaves: plain values for reports and for choosing.
Phases and packs read it; it trains no network.
"""
