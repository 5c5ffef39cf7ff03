"""The query language: what is read as what, what is refused with which words, and that nothing else is ever raised."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracer.errors import QueryError
from tracer.model.query import (
    MAX_CHARS,
    MAX_DEPTH,
    NODE_FIELDS,
    STEP_FIELDS,
    And,
    Expression,
    Finite,
    Flag,
    Not,
    Number,
    Or,
    Query,
    Ran,
    Text,
    parse,
)

RELU, NET = Text("op", "relu"), Text("module", "net.*")

READ = {
    "relu": Text("", "relu"),
    "RELU": Text("", "relu"),
    "64 × 128": Text("", "64x128"),
    "cell #1": Text("", "cell#1"),
    "op: relu": RELU,
    "op:relu module:net.*": And((RELU, NET)),
    "op:relu and module:net.*": And((RELU, NET)),
    "op:relu or module:net.*": Or((RELU, NET)),
    "op:relu -module:net.*": And((RELU, Not(NET))),
    "not (op:relu or module:net.*)": Not(Or((RELU, NET))),
    "a or b c": Or((Text("", "a"), And((Text("", "b"), Text("", "c"))))),
    "(a or b) c": And((Or((Text("", "a"), Text("", "b"))), Text("", "c"))),
    '"a or b"': Text("", "a or b"),
    '"a*"': Text("", "a*", is_literal=True),
    'param:"a ""b"""': Text("param", 'a "b"'),
    "shape:[64, *]": Text("shape", "[64,*]"),
    "module:[en]*": Text("module", "[en]*"),
    "source:model.py:42": Text("source", "model.py:42"),
    "output:0": Text("", "output:0"),
    "torch::autograd::CopySlices": Text("", "torch::autograd::copyslices"),
    "CppNode<Mine>": Text("", "cppnode<mine>"),
    "grad_norm>1e-3": Number("grad_norm", ">", 1e-3),
    "zeros >= .5 changed": And((Number("zeros", ">=", 0.5), Flag("changed"))),
    "unreached": Flag("unreached"),
    "steps where loss > 2": Number("loss", ">", 2.0),
    'STEPS WHERE "val loss" == -1': Number("val loss", "=", -1.0),
    "steps where step % 10 = 0": Number("step", "=", 0.0, 10),
    "steps where module:l4 ran": Ran(Text("module", "l4")),
    "steps where module:l4 did not run": Ran(Text("module", "l4"), "<", 1.0),
    "steps where l4 not ran": Ran(Text("", "l4"), "<", 1.0),
    "steps where module:cell ran > 3 changed": And((Ran(Text("module", "cell"), ">", 3.0), Flag("changed"))),
    "steps where loss is not finite": Finite("loss", False),
    "steps where loss finite": Finite("loss", True),
    "steps where shape changed or new": Or((Flag("shape changed"), Flag("new"))),
    "steps where(phase:eval)": Text("phase", "eval"),
}
REFUSED = {
    "colour:red": "Character 1: There is no field 'colour:'; there are op, module, class, param, shape, dtype, device,"
    " source, kind, call, pass.",
    "relu phase:eval": "Character 6: 'phase:' is asked of steps; begin with 'steps where'.",
    "module:a ran": "Character 10: Whether a module ran is asked of steps; begin with 'steps where'.",
    "op:relu or": "Character 11: Something to look for is missing here, for example op:relu.",
    "or relu": "Character 1: Something to look for is missing here, for example op:relu.",
    "not": "Character 4: Something to look for is missing here, for example op:relu.",
    "(a b": "Character 1: This parenthesis is not closed; write ) after it.",
    "a) b": "Character 2: This parenthesis closes nothing; leave it out.",
    '"a': 'Character 1: This quote is not closed; write " after it.',
    "zeros >": "Character 8: A number has to follow 'zeros >', for example zeros > 0.5.",
    "zeros > big": "Character 9: A number has to follow 'zeros >', for example zeros > 0.5.",
    "call:two": "Character 1: 'call:' takes a whole number, for example call:1.",
    "kind:loss": "Character 1: There is no kind 'loss'; there are op, parameter, input, output, module.",
    "steps where step % 0 = 1": "Character 13: Nothing can be divided by 0; write a number from 1 on after %.",
    "steps where added": "Character 13: 'added' compares the nodes of two steps; ask for it without 'steps where', or"
    " for 'changed'.",
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_what_is_typed_is_read_as_meant(text: str, expected: Expression) -> None:
    assert parse(text) == Query(expected, text.lower().startswith("steps where"))


@pytest.mark.parametrize("text", ["", "  ", "steps where", " Steps  where "])
def test_nothing_is_asked_by_nothing(text: str) -> None:
    assert not parse(text)
    assert parse(text).is_about_steps == bool(text.strip())


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items())
def test_what_makes_no_sense_is_refused_in_one_sentence_that_says_where(text: str, sentence: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(text)
    assert str(refused.value) == sentence


def test_a_scalar_asked_of_nodes_is_told_where_it_can_be_asked() -> None:
    with pytest.raises(QueryError, match=r"'loss' is measured of no node.*by steps where loss > 2\."):
        parse("loss > 2")


def test_queries_have_a_length_and_a_depth() -> None:
    with pytest.raises(QueryError, match="at most 4,000 characters; this one has 4,001"):
        parse("a" * (MAX_CHARS + 1))
    for opening in ("(", "not ", "-"):
        parse(opening * MAX_DEPTH + "a" + ")" * (MAX_DEPTH if opening == "(" else 0))
        with pytest.raises(QueryError, match=f"at most {MAX_DEPTH} deep"):
            parse(opening * (MAX_DEPTH + 1) + "a")
    assert len(parse("a " * (MAX_CHARS // 2)).expression.parts) == MAX_CHARS // 2  # type: ignore[union-attr]


WORDS = (
    *("a", "relu", "layer3.*", "[ab]?", "64", "x", "×", "64x*", "#1", "-", "--a", "op:", 'op:"b c"', "shape:[64, *]"),
    *("(", ")", '"', '"or"', '"a*"', '""', "or", "and", "not", "ran", "did", "run", "never", "is", "finite", "% 3"),
    *("> 3", "<=.5", "loss", "changed", "shape", "structure", "new", "added", "opaque", "steps where", "output:0"),
    *("ran > 2", "grad_norm>1e-3", "CppNode<a>", "a::b", '"val loss" = 2', "step % 2 = 0", "=", "!", "[", "\0", "\n"),
    *(f"{field}:1" for field in (*NODE_FIELDS, *STEP_FIELDS)),
)
sentences = st.lists(st.sampled_from(WORDS), max_size=9).flatmap(
    lambda words: st.sampled_from(("", " ")).map(lambda space: space.join(words))
)
queries = st.tuples(st.sampled_from(("", "steps where ")), st.one_of(st.text(max_size=40), sentences)).map("".join)


@example("×:[")
@example('0""\n<')
@example('"\n"<0')
@example("\u212aind:[")  # the Kelvin sign is a k in lower case
@given(queries)
def test_any_text_is_a_query_or_a_query_error_and_reads_the_same_once_written(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert error.position is None or 0 <= error.position <= len(text)
        assert str(error).endswith(".") and "\n" not in str(error)
        return
    assert parse(str(query)) == query
    assert str(parse(str(query))) == str(query)
