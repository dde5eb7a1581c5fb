"""Supernets: graphs as torch modules, for one candidate or a pack of them."""

from mtnas.supernets.copying import copy_nodes
from mtnas.supernets.freeze import freeze
from mtnas.supernets.initial import Initial
from mtnas.supernets.layout import Layout
from mtnas.supernets.selection import Selection
from mtnas.supernets.supernet import Supernet

__all__ = ["Initial", "Layout", "Selection", "Supernet", "copy_nodes", "freeze"]
