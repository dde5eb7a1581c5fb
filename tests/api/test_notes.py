"""Labels, notes, the trash and ETags, as clients see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mtnas.client import Client
from mtnas.errors import NotFoundError, SpecError
from tests.api.found import finish_search
from tests.api.service import running, spec, store_of


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(http: TestClient) -> Client:
    return Client(http=http)


def test_labels_and_notes_are_kept_and_found(client: Client) -> None:
    job = client.submit(spec())
    changed = client.annotate(job.id, labels={"team": "ads"}, note="ours")
    assert (changed.labels, changed.note, changed.id) == ({"team": "ads"}, "ours", job.id)
    assert client.annotate(job.id, note="theirs").labels == {"team": "ads"}
    assert [found.id for found in client.jobs(labels={"team": "ads"}).items] == [job.id]
    assert client.jobs(labels={"team": "other"}).items == ()
    assert [found.id for found in client.jobs(name="SMALL").items] == [job.id]
    for labels in ({"a b": "c"}, {"a": "x" * 201}, {str(number): "" for number in range(17)}):
        with pytest.raises(SpecError):
            client.annotate(job.id, labels=labels)


def test_a_filter_without_a_colon_is_refused(http: TestClient) -> None:
    assert http.get("/v1/jobs?label=team").json()["where"] == "query.label"


def test_a_deleted_job_can_be_restored_and_a_purged_one_not(client: Client, http: TestClient) -> None:
    job = client.submit(spec())
    client.cancel(job.id)
    client.delete(job.id)
    with pytest.raises(NotFoundError):
        client.job(job.id)
    (put_aside,) = http.get("/v1/jobs?deleted=true").json()["items"]
    assert (put_aside["id"], put_aside["deleted_at"] is not None) == (job.id, True)
    assert client.restore(job.id).state == "cancelled"
    client.delete(job.id, purge=True)
    with pytest.raises(NotFoundError):
        client.restore(job.id)


def test_the_dashboard_keeps_notes(http: TestClient) -> None:
    job = http.post("/v1/jobs", json=spec()).json()["id"]
    http.post(f"/jobs/{job}/do/note", data={"labels": "team:ads, paper: 2026", "note": "<b>ours"})
    page = http.get(f"/jobs/{job}").text
    assert 'value="team:ads, paper:2026"' in page
    assert "&lt;b&gt;ours" in page


def test_what_a_client_has_already_is_not_sent_again(http: TestClient) -> None:
    job = http.post("/v1/jobs", json=spec()).json()["id"]
    route = finish_search(store_of(http))[0].digest
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/report", f"/v1/routes/{route}", "/v1/search-spaces"):
        first = http.get(path)
        again = http.get(path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["x-content-type-options"] == "nosniff"
        assert http.head(path).headers["etag"] == first.headers["etag"]
    tag = http.get(f"/v1/jobs/{job}").headers["etag"]
    http.patch(f"/v1/jobs/{job}", json={"note": "new"})
    assert http.get(f"/v1/jobs/{job}", headers={"If-None-Match": tag}).json()["note"] == "new"
    assert "etag" not in http.get("/v1/jobs/nobody").headers
