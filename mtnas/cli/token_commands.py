"""Commands about bearer tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtnas.cli.app import AsJson, Home, tokens_app


@tokens_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    role: Annotated[str, typer.Option(help="read, submit or admin: each may do what those before it may.")] = "submit",
    owner: Annotated[
        str | None, typer.Option(help="Whose jobs it works on; by default NAME (admin: local).", show_default=False)
    ] = None,
    home: Home = Path("var"),
) -> None:
    """Make a token and show it, once. From the first one on, the service asks everybody for one."""
    from mtnas.cli import tokens

    tokens.create(name, role=role, owner=owner, home=home)


@tokens_app.command("list")
def list_tokens(as_json: AsJson = False, home: Home = Path("var")) -> None:
    """Show what tokens there are; their texts are known to nobody."""
    from mtnas.cli import tokens

    tokens.list_tokens(as_json=as_json, home=home)


@tokens_app.command("revoke")
def revoke_token(token_id: str, home: Home = Path("var")) -> None:
    """Let a token open nothing any more; running services hear of it within seconds."""
    from mtnas.cli import tokens

    tokens.revoke(token_id, home=home)
