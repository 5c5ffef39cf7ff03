"""What a user writes after --max-size and --keep."""

import pytest

from tracer.errors import UsageError
from tracer.model.keep import Keep, keep_of

SAYS_NOT = "says not what to keep; write every=K, last=N or changes, with commas between."


@pytest.mark.parametrize(
    "size, keep, expected",
    [
        ("500MB", None, Keep(500_000_000)),
        ("2G", None, Keep(2_000_000_000)),
        (" 1.5 gb ", None, Keep(1_500_000_000)),
        ("64MiB", None, Keep(64_000_000)),
        ("3000000", None, Keep(3_000_000)),
        (5_000_000, None, Keep(5_000_000)),
        (None, "every=10", Keep(every=10)),
        (None, "changes", Keep(changes=True)),
        ("1TB", "every=100, last=1000,changes", Keep(10**12, 100, 1000, True)),
    ],
)
def test_what_is_kept_is_read(size: str | int | None, keep: str | None, expected: Keep) -> None:
    assert keep_of(size, keep) == expected


@pytest.mark.parametrize(
    "size, keep, sentence",
    [
        ("much", None, "'much' is not a size; write for example 500MB or 2GB."),
        ("-5MB", None, "'-5MB' is not a size; write for example 500MB or 2GB."),
        ("10KB", None, "No tape fits in 10000 bytes; give 1MB or more."),
        (None, "", f"'' {SAYS_NOT}"),
        (None, "every=0", "Keeping every=0 makes no sense; give a number from 1 on."),
        (None, "every=x", f"'every=x' {SAYS_NOT}"),
        (
            None,
            "changes=1",
            f"'changes=1' {SAYS_NOT}",
        ),
        (None, "all", f"'all' {SAYS_NOT}"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(size: str | None, keep: str | None, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        keep_of(size, keep)
    assert str(error.value) == sentence
