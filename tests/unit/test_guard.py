"""What eplogging itself causes to be logged is no event; what a signal handler logs in the midst of it is."""

from __future__ import annotations

import threading

import pytest

from eplogging.guard import MAX_DEPTH, STATE, enter_own_thread, is_own_doing


@pytest.mark.parametrize(
    ("name", "depth", "own"),
    [
        ("eplogging", 0, True),
        ("eplogging.kafka", 0, True),
        ("eplogging_of_another", 0, False),
        ("app", 0, False),
        ("urllib3.connectionpool", 0, False),
        ("urllib3.connectionpool", 1, True),
        ("requests", 1, True),
        ("app", 1, False),
        ("app", MAX_DEPTH, True),
    ],
)
def test_own_doings(name: str, depth: int, own: bool) -> None:
    assert is_own_doing(name, depth) is own


def test_a_thread_is_marked_for_good_and_alone() -> None:
    seen: list[bool] = []

    def work() -> None:
        enter_own_thread()
        seen.append(is_own_doing("app", STATE.depth))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]
    assert STATE.depth == 0
