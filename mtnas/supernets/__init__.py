"""Supernets: graphs as torch modules, for one candidate or a pack of them."""

from mtnas.supernets.choice_layout import Layout
from mtnas.supernets.copying import copy_nodes, start_from
from mtnas.supernets.freeze import freeze, freeze_part
from mtnas.supernets.initial import Initial
from mtnas.supernets.selection import Selection
from mtnas.supernets.supernet import Supernet

__all__ = [
    "Initial",
    "Layout",
    "Selection",
    "Supernet",
    "copy_nodes",
    "freeze",
    "freeze_part",
    "start_from",
]
