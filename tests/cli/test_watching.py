"""What a watcher reads."""

import pytest

from mtnas.cli.watching import duration, progress_line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (187, "3 min 07 s"), (3725, "1 h 02 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_progress_line_shows_throughput_and_time_left() -> None:
    progress = {
        "phase": "search",
        "packs": 4,
        "packs_done": 1,
        "share": 0.256,
        "candidate_steps_per_s": 1234.5,
        "seconds_left": 75.0,
    }
    assert progress_line(progress) == "search  1/4 packs  26 %  1,234 candidate-steps/s  1 min 15 s left"


def test_missing_figures_are_left_out() -> None:
    assert progress_line({"phase": "prepare"}) == "prepare"
    assert progress_line({"phase": "search", "seconds_left": None, "share": 0.0}) == "search  0 %"
