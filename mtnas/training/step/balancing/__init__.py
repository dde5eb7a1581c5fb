"""Balancers: how the tasks' losses or gradients become one direction, for every candidate of a pack."""

from mtnas.training.step.balancing.balancer import PackShape
from mtnas.training.step.balancing.make import make_balancer

__all__ = ["PackShape", "make_balancer"]
