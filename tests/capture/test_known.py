"""The memory of known graphs stays bounded however much a training differs from step to step."""

from tracer.capture.known import Known


def test_it_remembers_within_its_budget_and_begins_anew_past_it() -> None:
    known: Known[str] = Known(10)
    known.add(1, "a", 6)
    known.add(2, "b", 4)
    assert (known.get(1), known.get(2)) == ("a", "b")
    known.add(3, "c", 1)
    assert (known.get(1), known.get(2), known.get(3)) == (None, None, "c")


def test_a_value_larger_than_the_budget_is_still_known_until_the_next() -> None:
    known: Known[str] = Known(10)
    known.add(1, "huge", 50)
    assert known.get(1) == "huge"
    known.add(2, "small", 1)
    assert known.get(1) is None
