"""What an installation brings: the library by its names, the service's packages only for the service (decision 17)."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mtnas.cli.serve import service_folder

ROOT = Path(__file__).parents[2]
CONSUMER = """
from importlib.util import find_spec
from mtnas.client import Client
from mtnas.easy import RouteSearch
print(find_spec("mtnas").origin, find_spec("api"), find_spec("workers"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_a_users_names_stay_his_own(installed: Path) -> None:
    packages = {path.parent.name for path in installed.glob("*/__init__.py")}
    assert packages == {"mtnas", "search_spaces"}
    assert (installed / "mtnas" / "py.typed").exists()


def test_the_service_is_whole(installed: Path) -> None:
    for package in ("api", "workers"):
        expected = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file()}
        found = {path.relative_to(installed / "mtnas_service") for path in (installed / "mtnas_service").rglob("*")}
        assert {path for path in expected if "__pycache__" not in path.parts} <= found


def test_a_consumer_outside_the_checkout_imports_what_it_is_told_to(installed: Path, tmp_path: Path) -> None:
    # -S leaves out the editable installation of this checkout; its dependencies are put back by name.
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", CONSUMER],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{installed}:{dependencies}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "mtnas" / "__init__.py"), "None", "None"]


def test_in_a_checkout_the_service_lies_beside_the_library() -> None:
    assert (service_folder() / "api" / "__main__.py").exists()
    assert (service_folder() / "workers" / "__main__.py").exists()
