"""The memory of known graphs stays bounded however much a training differs from step to step."""

from tracer.capture.known import Known


def test_what_is_met_again_is_remembered_within_the_budget() -> None:
    known: Known[str] = Known(32)
    for key in range(4):
        known.add(key, str(key), 10)
        assert known.get(key) == str(key)
    assert [known.get(key) for key in range(4)] == [None, None, None, "3"]


def test_what_is_met_once_takes_little_of_the_budget_and_drives_nothing_out() -> None:
    known: Known[str] = Known(32)
    known.add(-1, "again", 20)
    assert known.get(-1) == "again"
    for key in range(1_000):
        known.add(key, "once", 1)
    assert known.get(-1) == "again"
    assert [known.get(key) for key in range(1_000)].count("once") == 2


def test_a_value_larger_than_the_budget_is_still_known_until_the_next() -> None:
    known: Known[str] = Known(10)
    known.add(1, "huge", 50)
    assert known.get(1) == "huge"
    assert known.get(1) == "huge"
    known.add(2, "small", 1)
    assert known.get(2) == "small"
    assert known.get(1) is None
