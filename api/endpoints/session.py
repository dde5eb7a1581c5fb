"""Signing in with a browser: a token is exchanged for a cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.access import COOKIE, TokenBook

router = APIRouter(include_in_schema=False)
_POLICY = {"Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'"}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in - mtnas</title>
<h1>mtnas</h1><p>{message}</p>
<form method="post" action="{root}/login"><label>Token
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Sign in</button></form></html>"""
WEEK_S = 7 * 86_400


@router.get("/login")
def show_login(request: Request) -> HTMLResponse:
    """The form that asks for a token."""
    return _page(request, "Sign in with a token (mtnas token create).")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Keep a known token as the browser's session."""
    book: TokenBook = request.app.state.token_book
    token = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0].strip()
    if book.bearer(token) is None:
        return _page(request, "No such token.", status=401)
    answer = RedirectResponse("/", status_code=303)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=WEEK_S, httponly=True, samesite="strict", secure=is_secure)
    return answer


@router.post("/logout")
def log_out() -> Response:
    """Forget the session."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _page(request: Request, message: str, *, status: int = 200) -> HTMLResponse:
    root = request.scope.get("root_path", "")
    return HTMLResponse(_PAGE.format(message=message, root=root), status_code=status, headers=_POLICY)
