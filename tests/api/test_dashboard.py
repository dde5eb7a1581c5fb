"""The dashboard's pages: they show what is in the store, act on it by forms, and run no script of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from mtnas.reports.evidence import evidence
from tests.api.found import finish_search
from tests.api.service import claimed, running, spec, store_of
from tests.store.listening import statements

PAGES = ("/", "/new", "/datasets", "/system")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture
def done(client: TestClient) -> str:
    """A finished job."""
    job = client.post("/v1/jobs", json=spec()).json()["id"]
    finish_search(store_of(client))
    return str(job)


def pages_of(client: TestClient, job: str) -> list[str]:
    digests = [route["digest"] for route in client.get(f"/v1/jobs/{job}/routes").json()["items"]]
    compared = f"/compare?job_id={job}&first={digests[0]}&second={digests[1]}"
    return [f"/jobs/{job}", f"/jobs/{job}/state", f"/jobs/{job}/routes", f"/routes/{digests[0]}", compared]


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_an_empty_service_are_shown(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/html")


def test_every_page_forbids_scripts_and_styles_from_elsewhere_and_has_none_inside(
    client: TestClient, done: str
) -> None:
    for path in (*PAGES, *pages_of(client, done)):
        found = client.get(path)
        assert found.status_code == 200, path
        policy = found.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", found.text), path
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", found.text), f"{path} names another address"


def test_a_job_can_be_checked_submitted_and_cancelled_by_forms(client: TestClient) -> None:
    text = yaml.safe_dump(spec())
    checked = client.post("/new", data={"spec": text, "do": "check"})
    assert "routes in the space" in checked.text
    assert client.get("/v1/jobs").json()["items"] == []
    submitted = client.post("/new", data={"spec": text, "do": "submit"}, follow_redirects=False)
    assert submitted.status_code == 303
    page = submitted.headers["location"]
    assert 'hx-trigger="every 2s"' in client.get(page).text, "it is asked for again while the job can change"
    client.post(f"{page}/do/cancel")
    after = client.get(page).text
    assert "cancelled" in after
    assert "hx-trigger" not in after


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{", "expected YAML or JSON"), ("[1]", "expected a mapping"), ("name: x", "data"), ("", "expected a mapping")],
)
def test_a_specification_that_cannot_work_comes_back_with_the_reason(
    client: TestClient, text: str, expected: str
) -> None:
    found = client.post("/new", data={"spec": text, "do": "submit"})
    assert found.status_code == 422
    assert expected in unescape(found.text)


def test_whatever_people_write_is_text(client: TestClient) -> None:
    name = "<script>alert(1)</script>"
    client.post("/v1/jobs", json=spec(name=name))
    for found in (client.get("/"), client.post("/new", data={"spec": name, "do": "check"})):
        assert name not in found.text
        assert name in unescape(found.text)


def test_routes_are_listed_sorted_and_compared(client: TestClient, done: str) -> None:
    listed = client.get(f"/jobs/{done}/routes?sort=-mean_gain").text
    assert [listed.index(f"finalist-{n}") for n in (0, 2, 1)] == sorted(listed.index(f"finalist-{n}") for n in range(3))
    digests = [route["digest"] for route in client.get(f"/v1/jobs/{done}/routes").json()["items"]]
    compared = client.get("/compare", params={"job_id": done, "first": digests[0], "second": digests[1]}).text
    assert "mean_gain" in compared
    assert "0.02" in compared, "the difference of .03 and .01"


def test_a_routes_page_offers_its_export(client: TestClient, done: str) -> None:
    digest = client.get(f"/v1/jobs/{done}/routes").json()["items"][0]["digest"]
    page = client.get(f"/routes/{digest}").text
    (link,) = re.findall(r'href="(/v1/exports/[^"]+/download)"', page)
    assert client.get(link).headers["content-type"] == "application/zip"


def test_charts_are_svg_and_vega_lite(client: TestClient, done: str) -> None:
    drawn = client.get(f"/jobs/{done}/charts/front.svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.text.startswith("<svg")
    assert client.get(f"/jobs/{done}/charts/trials.json").json()["$schema"].startswith("https://vega.github.io")
    assert client.get(f"/jobs/{done}/charts/nothing.svg").status_code == 404


def test_browsers_see_problems_as_pages_and_programs_as_documents(client: TestClient) -> None:
    page = client.get("/jobs/none", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "none" in page.text
    assert client.get("/jobs/none").headers["content-type"] == "application/problem+json"
    assert client.get("/v1/jobs/none", headers={"Accept": "text/html"}).json()["status"] == 404


def test_forms_of_other_sites_are_refused(client: TestClient, done: str) -> None:
    found = client.post(
        f"/jobs/{done}/do/extend", data={"trials": "80"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert found.status_code == 403


def test_a_search_is_extended_by_a_form(client: TestClient, done: str) -> None:
    assert client.post(f"/jobs/{done}/do/extend", data={"trials": "many"}).status_code == 422
    found = client.post(f"/jobs/{done}/do/extend", data={"trials": "80"}, follow_redirects=False)
    assert found.status_code == 303
    extension = client.get(f"/v1{found.headers['location']}").json()
    assert (extension["extends"], extension["spec"]["budget"]["trials"]) == (done, 80)


def test_a_page_asks_the_database_as_often_for_one_route_as_for_many(client: TestClient, done: str) -> None:
    def queries(path: str) -> int:
        with statements(store_of(client)) as sent:
            assert client.get(path).status_code == 200
        return sum(statement.lstrip().upper().startswith("SELECT") for statement, _ in sent)

    alone = client.post("/v1/jobs", json=spec(name="another")).json()["id"]
    assert queries(f"/jobs/{done}") <= queries(f"/jobs/{alone}") + 1
    assert queries("/") <= 2


def test_a_report_tells_in_sentences_what_it_proves(client: TestClient) -> None:
    job = client.post("/v1/jobs", json=spec()).json()["id"]
    store = store_of(client)
    rival = {"against": "mmoe", "macs_ratio": 0.4, "margin": 0.001, "holds": True}
    report = {"search": {"searches": 10, "routes_found": 7, "device_seconds": 3.0}, "non_inferior": rival}
    store.hold(claimed(store)).put_report(report)
    shown = unescape(client.get(f"/jobs/{job}/report").text)
    for sentence in evidence(report):
        assert f"<li>{sentence}</li>" in shown
    assert "10 independent searches" in shown
