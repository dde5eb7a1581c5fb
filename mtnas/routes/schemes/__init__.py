"""Published schemes, one a file: functions that give a graph and the one route through it."""

from mtnas.routes.schemes.adatt import adatt
from mtnas.routes.schemes.aitm import aitm
from mtnas.routes.schemes.cgc import cgc
from mtnas.routes.schemes.controller import controller
from mtnas.routes.schemes.cross_stitch import cross_stitch
from mtnas.routes.schemes.dselect_k import dselect_k
from mtnas.routes.schemes.esmm import esmm
from mtnas.routes.schemes.image_routes import ImageSize, image_size
from mtnas.routes.schemes.mmoe import full_sharing, ml_mmoe, mmoe
from mtnas.routes.schemes.named_route import NamedRoute, Size, full_route
from mtnas.routes.schemes.one_bottom import shared_bottom, single_task
from mtnas.routes.schemes.ple import ple
from mtnas.routes.schemes.stem import stem

__all__ = [
    "ImageSize",
    "NamedRoute",
    "Size",
    "adatt",
    "aitm",
    "cgc",
    "controller",
    "cross_stitch",
    "dselect_k",
    "esmm",
    "full_route",
    "full_sharing",
    "image_size",
    "ml_mmoe",
    "mmoe",
    "ple",
    "shared_bottom",
    "single_task",
    "stem",
]
