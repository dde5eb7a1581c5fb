"""``mtnas serve`` on a port that is taken: one line that says by whom, and an exit status."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.api.border.serving import listening


def serve(home: Path, port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtnas.cli", "serve", "--port", str(port), "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_by_another_mtnas(tmp_path: Path) -> None:
    with listening(tmp_path / "first") as port:
        said = serve(tmp_path / "second", port)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert f"127.0.0.1:{port}: expected a free port (--port), found another mtnas (" in said.stderr
    assert not (tmp_path / "second").exists()


def test_by_another_program(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = serve(tmp_path, other.getsockname()[1])
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "Address already in use: another program has it" in said.stderr
