"""Where a search ends, what it is charged, and who is stopped early: limits, budgets, passes, halving plans.

Enters: limits and trials. Leaves: stops and numbers of trials. Pure functions; ``run`` acts on them.
"""
