"""What a route or a whole graph costs, in closed form: parameters, multiply-accumulates, memory.

Enters: a graph and a route. Leaves: numbers; no module is built.
"""
