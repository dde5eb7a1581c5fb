"""Packs on real Ray actors: the same answers, whatever dies on the way."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import search_spaces
from mtnas.data import DataAccess, EncodedData
from mtnas.errors import DataError, LeaseLostError, SpecError, TrainingError
from mtnas.run import MemoryJournal, run_job
from mtnas.run.executor import Executor, InProcessExecutor
from mtnas.run.packs.pack_events import PackCheckpoint, PackEvent, PackFailed, PackProgress, PackStarted, TrainResult
from mtnas.run.packs.pack_task import PackTask
from mtnas.run.phases.prepare import expanded
from mtnas.spec import JobSpec
from mtnas.store import JobKind, Store
from mtnas.trials import Trial
from tests.lean import NO_MODELS
from tests.workers.packs import pack, planted
from workers.ray.cluster import cluster
from workers.settings import Settings
from workers.upkeep.heartbeat import Heartbeat, StopReason

if TYPE_CHECKING:
    from workers.ray.actor_pool import ActorPool

pytestmark = pytest.mark.timeout(300)

DEAD_CLUSTER = "127.0.0.1:1"
SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"source": {"kind": "catalogue", "name": "planted", "options": {"rows": 600, "num_tasks": 2, "dims": 8}}},
    "tasks": [{"name": f"t{n}", "kind": "regression", "label": f"task_{n}", "tower": [8]} for n in range(2)],
    "space": {"name": "mtnas", "options": {"layers": 1, "subnets": 2, "width": 8}},
    "search": {"kind": "evolution", "generation": 3},
    "training": {"batch_size": 128, "epochs": 1, "lr": 0.01},
    "protocol": {
        "level": "quick",
        **NO_MODELS,
        "seeds": 1,
        "finalists": 1,
        "baselines": ["shared_bottom"],
    },
    "budget": {"trials": 6},
    "resources": {"pack_size": 1},
    "export": {"top": 0},
}
_STRANGER = "import ray, sys; ray.init(address=sys.argv[1], logging_level='critical'); print(ray.nodes())"


@dataclass(frozen=True, kw_only=True)
class Service:
    """The cluster and what is known of it."""

    token: Path
    strangers: dict[str, subprocess.Popen[str]]


@contextmanager
def _environment(named: dict[str, str]) -> Iterator[None]:
    os.environ |= named
    yield
    for name in named:
        del os.environ[name]


@pytest.fixture(scope="module")
def service(ray_token: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One cluster of two processors for all tests. Strangers knock meanwhile: being refused takes them 20 s."""
    home = tmp_path_factory.mktemp("home")
    # What Ray would join by itself: a cluster that is not there any more. Ours must not care.
    (home / "ray").mkdir()
    (home / "ray" / "ray_current_cluster").write_text(DEAD_CLUSTER)
    named = {"RAY_ADDRESS": DEAD_CLUSTER, "RAY_TMPDIR": str(home)}
    with _environment(named), cluster(Settings(home=home, ray_cpus=2, ray_object_store_mib=100)):
        import ray

        address = ray.get_runtime_context().gcs_address
        bare = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
        environments = {
            "no token": bare | {"RAY_AUTH_MODE": "disabled"},
            "a wrong token": bare | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
        }
        strangers = {
            name: subprocess.Popen(
                [sys.executable, "-c", _STRANGER, address],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for name, environment in environments.items()
        }
        yield Service(token=ray_token, strangers=strangers)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EncodedData:
    return planted(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pool(service: Service) -> "ActorPool":
    from workers.ray.actor_pool import ActorPool  # not at the top: ray reads its environment when it is imported

    return ActorPool()


@dataclass(frozen=True, kw_only=True)
class Driver:
    """An executor, its checks, which a test may add to, and how it is closed when its job ends."""

    executor: Executor
    checks: list[Callable[[], None]]
    close: Callable[[], None]


@pytest.fixture(scope="module", params=["actors", "tune"])
def driver(request: pytest.FixtureRequest, pool: "ActorPool") -> Iterator[Driver]:
    """Both drivers keep the same promises."""
    from workers.ray.ray_executor import RayExecutor
    from workers.ray.tune.tune_executor import TuneExecutor

    checks: list[Callable[[], None]] = []

    def check() -> None:
        for each in checks:
            each()

    if request.param == "actors":
        executor: Executor = RayExecutor(pool, max_packs=2, num_gpus=0.0, check=check, most_deaths=1)
        close = pool.close
    else:
        executor = TuneExecutor(max_packs=2, num_gpus=0.0, wait_s=0.0, check=check, most_deaths=1)
        close = executor.close
    yield Driver(executor=executor, checks=checks, close=close)
    close()


@pytest.fixture
def executor(driver: Driver) -> Executor:
    return driver.executor


def _results(events: list[PackEvent]) -> dict[str, TrainResult]:
    return {event.key: event for event in events if isinstance(event, TrainResult)}


def _metrics(result: TrainResult) -> list[object]:
    """What a pack found out; the seconds it took are its own."""
    return [evaluation.per_task for outcome in result.outcomes for evaluation in outcome.evaluations]


def _alone(tasks: list[PackTask], data: EncodedData) -> dict[str, TrainResult]:
    return _results(list(InProcessExecutor().run(tasks, data)))


def test_actors_give_the_answers_of_this_process_and_say_where(executor: Executor, data: EncodedData) -> None:
    tasks = [pack(f"p{n}", seed=n) for n in range(4)]
    events = list(executor.run(tasks, data))
    expected, found = _alone(tasks, data), _results(events)
    assert {key: _metrics(result) for key, result in found.items()} == {
        key: _metrics(result) for key, result in expected.items()
    }
    places = {result.place.process: result.place.actor for result in found.values()}
    assert len(places) == len(set(places.values())) <= 2
    assert os.getpid() not in places
    started = {event.key: event.place for event in events if isinstance(event, PackStarted)}
    assert started == {key: result.place for key, result in found.items()}


def test_actors_live_on_between_packs_and_runs(executor: Executor, data: EncodedData) -> None:
    runs = [_results(list(executor.run([pack(f"p{n}") for n in range(3)], data))) for _ in range(2)]
    processes = {result.place.process for results in runs for result in results.values()}
    assert len(processes) <= 2


def test_a_pack_of_a_killed_actor_goes_on_from_its_checkpoint(executor: Executor, data: EncodedData) -> None:
    task, steps, killed_at, processes = pack("killed", epochs=40), [], None, []
    for event in executor.run([task], data):
        match event:
            case PackStarted():
                processes.append(event.place.process)
            case PackProgress():
                steps.append(event.step)
            case PackCheckpoint() if killed_at is None and len(steps) >= 4:
                killed_at = steps[-1]
                os.kill(processes[0], signal.SIGKILL)
            case TrainResult():
                result = event
    assert killed_at is not None
    assert len(set(processes)) == 2
    assert steps.count(steps[0]) == 1, "it began anew"
    assert _metrics(result) == _metrics(_alone([task], data)["killed"])


def test_a_pack_whose_actors_keep_dying_fails_alone(executor: Executor, data: EncodedData) -> None:
    deaths, results, failures = 0, {}, {}
    for event in executor.run([pack("cursed", epochs=50), pack("blessed")], data):
        match event:
            case PackStarted(key="cursed"):
                deaths += 1
                os.kill(event.place.process, signal.SIGKILL)
            case TrainResult():
                results[event.key] = event
            case PackFailed():
                failures[event.key] = event
    assert deaths == 2
    assert set(results) == {"blessed"}
    assert isinstance(failures["cursed"].error, TrainingError)
    assert "2 that died" in str(failures["cursed"].error)


def test_a_fault_in_the_code_costs_one_pack(executor: Executor, data: EncodedData) -> None:
    events = list(executor.run([pack("broken", parts=("nowhere",)), pack("whole")], data))
    (failed,) = [event for event in events if isinstance(event, PackFailed)]
    assert failed.key == "broken"
    assert "nowhere" in str(failed.error)
    assert set(_results(events)) == {"whole"}


def test_streamed_rows_are_read_from_the_cache_of_the_actor(executor: Executor, tmp_path: Path) -> None:
    streamed = planted(tmp_path)
    task = replace(pack("streamed"), streamed=True)
    found = _results(list(executor.run([task], streamed)))
    assert _metrics(found["streamed"]) == _metrics(_alone([pack("streamed")], streamed)["streamed"])
    missing = replace(streamed, cache=tmp_path / "elsewhere")
    (failed,) = (event for event in executor.run([task], missing) if isinstance(event, PackFailed))
    assert isinstance(failed.error, DataError)
    assert "elsewhere" in str(failed.error)


def test_whoever_gets_a_result_may_run_another_pack_at_once(executor: Executor, data: EncodedData) -> None:
    inner: list[TrainResult] = []
    for event in executor.run([pack("a"), pack("b", epochs=4)], data):
        if isinstance(event, TrainResult):
            inner += _results(list(executor.run([pack(f"after-{event.key}")], data))).values()
    assert sorted(result.key for result in inner) == ["after-a", "after-b"]


def test_a_cluster_of_our_own_is_neither_foreign_nor_dead(service: Service) -> None:
    import ray

    assert os.environ["RAY_ADDRESS"] == DEAD_CLUSTER
    assert ray.get_runtime_context().gcs_address != DEAD_CLUSTER
    assert f"mtnas-{os.getpid()}-" in str(_session())
    (folder,) = (parent for parent in _session().parents if parent.name.startswith(f"mtnas-{os.getpid()}-"))
    assert folder.stat().st_mode & 0o777 == 0o700, "whatever Ray does to the folders inside"
    assert len(ray.nodes()) == 1


def test_the_token_is_secret_and_strangers_are_refused(service: Service) -> None:
    assert stat.S_IMODE(service.token.stat().st_mode) == 0o600
    for name, stranger in service.strangers.items():
        output, _ = stranger.communicate(timeout=60)
        assert (name, stranger.returncode != 0, output) == (name, True, "")


def test_a_gpu_that_no_node_has_is_refused_and_not_waited_for(pool: "ActorPool", data: EncodedData) -> None:
    from workers.ray.ray_executor import RayExecutor

    greedy = RayExecutor(pool, max_packs=2, num_gpus=1.0, check=lambda: None)
    with pytest.raises(
        SpecError, match=r"1 processor and 1 of a GPU for a pack, found 1 node.* 2 processors and 0 GPUs"
    ):
        list(greedy.run([pack("p")], data))


def test_a_node_that_may_still_come_is_waited_for(service: Service, data: EncodedData) -> None:
    from workers.ray.actor_pool import ActorPool
    from workers.ray.ray_executor import RayExecutor

    began, looks = time.monotonic(), []
    patient = RayExecutor(ActorPool(wait_s=3), max_packs=2, num_gpus=1.0, check=lambda: looks.append(0))
    with pytest.raises(SpecError, match="after waiting for"):
        list(patient.run([pack("p")], data))
    assert time.monotonic() - began >= 3
    assert len(looks) >= 4, "a request to stop must be heard meanwhile"


def test_a_search_has_the_trials_and_the_winner_of_one_in_this_process(executor: Executor, tmp_path: Path) -> None:
    spec = expanded(JobSpec.model_validate(SPEC), search_spaces.build)
    journals = {name: MemoryJournal() for name in ("here", "there")}
    for name, runner in (("here", InProcessExecutor()), ("there", executor)):
        run_job(spec, access=DataAccess(cache=tmp_path), executor=runner, journal=journals[name])
    here, there = ([_essence(trial) for trial in journal.trials()] for journal in journals.values())
    assert here == there
    reports = [journal.report for journal in journals.values()]
    assert reports[0] is not None
    assert reports[1] is not None
    assert reports[0]["best"] == reports[1]["best"]


def _essence(trial: Trial) -> tuple[object, ...]:
    """What must not depend on where a trial ran."""
    return trial.number, trial.phase, trial.label, trial.route_digest, trial.state, dict(trial.values)


def test_a_lost_lease_is_heard_within_a_pack_and_ends_its_actor(
    driver: Driver, data: EncodedData, tmp_path: Path
) -> None:
    """The last test of a driver: a job that has lost its lease to another attempt is over."""
    with Store.open(f"sqlite:///{tmp_path / 'mtnas.sqlite'}", artifacts=tmp_path / "artifacts") as store:
        store.jobs.submit(JobKind.SEARCH, "long", {})
        lease = store.leases.claim("first")
        assert lease is not None
        with Heartbeat(store, lease, lease_s=60, every_s=0.1, shutdown=threading.Event()) as heartbeat:
            driver.checks.append(heartbeat.check)
            events = driver.executor.run([pack("long", epochs=5000)], data)
            started = next(events)
            assert isinstance(started, PackStarted)
            while not store.leases.reap():  # the heartbeat may renew it in between
                store.leases.renew(lease, lease_s=-1)
            second = store.leases.claim("second")
            with pytest.raises(LeaseLostError):
                list(events)
        assert heartbeat.reason is StopReason.LOST
        assert second is not None
        assert (second.job_id, second.attempt) == (lease.job_id, 2)
        store.leases.renew(second)
    driver.close()
    assert _gone(started.place.process)
    assert not list(Path(tempfile.gettempdir()).glob(f"mtnas-{os.getpid()}-tune-*"))
    written = [file for folder in _session().glob("artifacts/*") for file in folder.rglob("*") if file.is_file()]
    assert not written, "Tune's files hold pickles"


def _session() -> Path:
    """Ray's folder for this cluster."""
    import ray

    return Path(ray._private.worker._global_node.get_session_dir_path())


def _gone(process: int) -> bool:
    for _ in range(100):
        stat_file = Path(f"/proc/{process}/stat")
        if not stat_file.exists() or stat_file.read_text().split()[2] == "Z":
            return True
        time.sleep(0.1)
    return False
