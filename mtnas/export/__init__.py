"""Exports: a trained route as a folder that runs with torch, safetensors and numpy alone."""

from mtnas.export.ensemble_writer import Member, ModelMember, export_ensemble
from mtnas.export.formats import Format, add_formats
from mtnas.export.load_module import LoadedModule, load_module
from mtnas.export.manifest import Manifest, Provenance
from mtnas.export.verify import CheckResult, run_check, verify_export
from mtnas.export.writer import export_module

__all__ = [
    "CheckResult",
    "Format",
    "LoadedModule",
    "Manifest",
    "Member",
    "ModelMember",
    "Provenance",
    "add_formats",
    "export_ensemble",
    "export_module",
    "load_module",
    "run_check",
    "verify_export",
]
