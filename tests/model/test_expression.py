"""Expressions over scalars: what they mean, and that nothing else can be said in them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import UsageError
from tracer.model.expression import Expression, Message, Scope

SCOPE = Scope(7, {"loss": 3.0, "lr": 0.5, "loss (Adam)": 9.0}, {"loss": [1.0, 2.0], "old": [4.0, 5.0]})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("loss", 3),
        ("loss[-1]", 3),
        ("loss[-2]", 2),
        ("loss[0]", 1),
        ("old[-1]", 5),
        ("mean(loss)", 2),
        ("mean(loss[-2:])", 2.5),
        ("sum(loss[-1:])", 3),
        ("mean(old[-20:])", 4.5),
        ("len(loss[-20:])", 3),
        ("sum(loss[:-1])", 3),
        ("max(loss[-20:])", 3),
        ("max(1, loss, 2)", 3),
        ("median(loss)", 2),
        ("std(loss)", math.sqrt(2 / 3)),
        ('scalars["loss (Adam)"] / loss', 3),
        ("step % 2", 1),
        ("2 ** 3 - 1 // 2", 8),
        ("-loss + +1", -2),
        ("1 < loss <= 3", 1),
        ("1 < loss < 3", 0),
        ("not loss > 2", 0),
        ("loss > 5 or lr == 0.5 and step == 7", 1),
        ("1 if loss > 2 else 2", 1),
        ("isfinite(loss) and not isnan(loss)", 1),
        ("loss > 2 * mean(loss[-20:])", 0),
        ("log10(1000)", 3),
    ],
)
def test_an_expression_means_what_python_would(text: str, value: float) -> None:
    assert Expression(text).value(SCOPE) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["unknown", "1 / 0", "loss[99]", "log(-1)", "10.0 ** 999", "(-1) ** 0.5", "mean(unknown[-3:])", "loss[-2:]"],
)
def test_what_cannot_be_computed_is_nan_and_does_not_hold(text: str) -> None:
    assert math.isnan(Expression(text).value(SCOPE))
    assert not Expression(text).holds(SCOPE)
    assert not Expression(f"({text}) > 0").holds(SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "loss.real",
        "open('x')",
        "lambda: 1",
        "[loss for loss in (1, 2)]",
        "eval('1')",
        "print(loss)",
        "mean(*loss)",
        "max(loss, key=abs)",
        "'text'",
        "loss if",
        "f'{loss}'",
        "scalars",
        "scalars[loss]",
        "loss[loss]",
        "loss[::2]",
        "loss := 3",
        "loss and",
        "mean",
        "loss @ lr",
        "loss is 3",
        "await loss",
        "1j",
        "9" * 400,
    ],
)
def test_nothing_else_is_an_expression(text: str) -> None:
    with pytest.raises(UsageError):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "The expression is empty; write, for example, loss > 2."),
        ("x" * 501, "The expression has 501 characters; at most 500 are allowed."),
        ("loss >", "'loss >' is no expression; write, for example, loss > 2 * mean(loss[-20:])."),
        ("+".join("1" * 150), "The expression is too long; split it into several breakpoints."),
        ("-" * 60 + "1", "The expression is too long; split it into several breakpoints."),
    ],
)  # fmt: skip
def test_it_says_why(text: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        Expression(text)
    assert str(raised.value) == error


@given(st.text(alphabet="loslr[]()-:+*/%<>=!0123456789., andotifes'\"{}_\n\\", max_size=60))
def test_any_text_is_an_expression_or_refused_and_never_raises_later(text: str) -> None:
    try:
        found = Expression(text)
    except UsageError:
        return
    assert isinstance(found.value(SCOPE), float)
    assert isinstance(found.value(Scope(0, {}, {})), float)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=30), st.integers(1, 40))
def test_the_last_values_are_those_of_a_list(values: list[float], count: int) -> None:
    scope = Scope(0, {"x": values[-1]} if values else {}, {"x": values[:-1]})
    assert Expression(f"len(x[-{count}:])").value(scope) == len(values[-count:])
    if values:
        assert Expression(f"sum(x[-{count}:])").value(scope) == sum(values[-count:])


def test_names_are_those_of_the_scalars() -> None:
    found = Expression('loss > mean(acc[-3:]) + scalars["val/acc"] + step')
    assert found.names == {"loss", "acc", "val/acc"}


def test_a_message_fills_in_its_expressions() -> None:
    text = "step {step}: {loss:.3f} {loss / lr} {{ {missing} {sum(loss[-2:])}"
    assert Message(text).filled(SCOPE) == "step 7: 3.000 6 { ? 5"
    assert Message("plain").filled(SCOPE) == "plain"


@pytest.mark.parametrize(
    "text", ["{", "{loss", "{loss:.3", "{loss:zz}", "{loss:9999999999d}", "{loss!r:x}", "{}", "{0}}"]
)
def test_a_message_that_makes_no_sense_is_refused(text: str) -> None:
    if text == "{loss:.3":
        text += "}}"
    with pytest.raises(UsageError):
        Message(text)
