"""What the pages' forms do: submit, cancel, pause, resume, extend, export. Every one ends with a redirect to a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.dashboard.rendering import page
from api.dependencies import AccessParam, Identifier, StoreParam
from api.requests.exporting import request_export
from api.requests.extending import request_extension
from api.requests.planning import plan_search
from api.requests.reading import validated
from api.requests.schemas import JobChange
from mtnas.data import DataAccess
from mtnas.errors import MtnasError, NotFoundError, SpecError
from mtnas.messages import Plan
from mtnas.problems import from_validation
from mtnas.search.budgets.limits import BudgetSpec
from mtnas.store import JobKind, Store

router = APIRouter(include_in_schema=False)


@router.post("/new", response_model=None)
async def submit(request: Request, store: StoreParam, access: AccessParam) -> HTMLResponse | RedirectResponse:
    """Check a specification, or submit it; what is wrong is shown beside it."""
    form = await _form(request)
    text = form.get("spec", "")
    try:
        plan = await run_in_threadpool(_planned, text, store, access)
        if form.get("do") != "submit":
            return page(request, "new.html", {"text": text, "plan": plan, "problems": []})
        name = plan.spec["name"]
        job, _ = await run_in_threadpool(store.jobs.submit, JobKind.SEARCH, name, plan.spec)
    except MtnasError as error:
        return page(request, "new.html", {"text": text, "plan": None, "problems": [str(error)]}, status=422)
    except ExceptionGroup as group:
        told = [str(error) for error in group.exceptions]
        return page(request, "new.html", {"text": text, "plan": None, "problems": told}, status=422)
    return _to(request, f"/jobs/{job.id}")


@router.post("/jobs/{job_id}/do/{verb}")
async def act(request: Request, job_id: Identifier, verb: Identifier, store: StoreParam) -> RedirectResponse:
    """Cancel, pause, resume or extend a job, or say something of it."""
    form = await _form(request)
    target = await run_in_threadpool(_acted, store, job_id, verb, form)
    return _to(request, f"/jobs/{target}")


@router.post("/routes/{digest}/export")
def export(request: Request, digest: Identifier, store: StoreParam, job_id: str | None = None) -> RedirectResponse:
    """Train a route and export it."""
    made = request_export(store, digest, job_id=job_id, idempotency_key=None)
    return _to(request, f"/jobs/{made.job_id}")


def _acted(store: Store, job_id: str, verb: str, form: dict[str, str]) -> str:
    if verb == "cancel":
        return store.jobs.request_cancel(job_id).id
    if verb == "pause":
        return store.jobs.request_pause(job_id).id
    if verb == "resume":
        return store.jobs.resume(job_id).id
    if verb == "note":
        return store.jobs.annotate(job_id, labels=_labels(form.get("labels", "")), note=form.get("note", "")).id
    if verb == "extend":
        try:
            budget = BudgetSpec(trials=int(form.get("trials", "")))
        except ValidationError as error:
            raise from_validation(error.errors(), None)[0] from None
        except ValueError as error:
            raise SpecError(expected="a number of trials", found=form.get("trials", ""), where="trials") from error
        return request_extension(store, job_id, budget, idempotency_key=None).id
    raise NotFoundError(expected="cancel, pause, resume, extend or note", found=repr(verb), where="verb")


def _labels(text: str) -> dict[str, str]:
    pairs = [part.partition(":") for part in text.split(",") if part.strip()]
    try:
        change = JobChange.model_validate({"labels": {name.strip(): value.strip() for name, _, value in pairs}})
    except ValidationError as error:
        raise from_validation(error.errors(), None)[0] from None
    return change.labels or {}


def _planned(text: str, store: Store, access: DataAccess) -> Plan:
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(
            expected="YAML or JSON", found=" ".join(str(error).split())[:200], where="specification"
        ) from error
    if not isinstance(document, dict):
        raise SpecError(expected="a mapping", found=type(document).__name__, where="specification")
    return plan_search(validated(document), store=store, access=access)


async def _form(request: Request) -> dict[str, str]:
    fields = parse_qs(
        (await request.body()).decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=50
    )
    return {name: values[-1] for name, values in fields.items()}


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(request.scope.get("root_path", "") + path, status_code=303)
