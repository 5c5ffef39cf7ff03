import networkx as nx

from tracer.model.inside import as_drawable, node_text
from tracer.model.structure import Inside, InsideNode, SourceLine, inside_to_networkx
from tracer.model.view_builder import ViewOptions, build_view

LINE = SourceLine("model.py", 7, "forward")


def compiled_linear() -> nx.MultiDiGraph:
    """What Dynamo makes of `relu(self.fc(x)) @ self.fc.weight`."""
    weight = "l_self_modules_fc_parameters_weight_"
    return inside_to_networkx(
        Inside(
            "torch.compile, backend eager",
            (
                InsideNode("l_x_", "placeholder", "x", (), (8, 4), "float32", LINE),
                InsideNode(weight, "placeholder", "self.fc.weight", (), (4, 4), "float32", LINE),
                InsideNode("linear", "call_function", "torch.nn.functional.linear", (0, 1), (8, 4), "float32", LINE),
                InsideNode("relu", "call_method", "relu", (2,), (8, 4), "float32", LINE),
                InsideNode("y", "call_function", "operator.matmul", (3, 1), (8, 4), "float32", LINE),
                InsideNode("output", "output", "output", (4,), None, ""),
            ),
        )
    )


def test_the_graph_inside_is_drawn_with_readable_names_and_sizes() -> None:
    view = build_view(as_drawable(compiled_linear()), ViewOptions(show_bookkeeping=True))
    assert [(box.kind, box.title, box.subtitle) for box in view.boxes] == [
        ("input", "x", "8×4"),
        ("parameter", "fc.weight", "4×4"),
        ("op", "linear", "8×4"),
        ("op", "relu", "8×4"),
        ("op", "matmul", "8×4"),
        ("output", "output", ""),
    ]
    names = {box.key: box.title for box in view.boxes}
    assert {(names[link.source], names[link.target]) for link in view.links} == {
        ("x", "linear"),
        ("fc.weight", "linear"),
        ("linear", "relu"),
        ("relu", "matmul"),
        ("fc.weight", "matmul"),
        ("matmul", "output"),
    }


def test_every_edge_of_the_graph_inside_is_kept() -> None:
    inside = compiled_linear()
    drawable = as_drawable(inside)
    for edges in (inside.edges(data="input_nr"), drawable.edges(data="input_nr")):
        assert sorted(edges) == sorted(inside.edges(data="input_nr"))


def test_one_line_says_what_a_node_is() -> None:
    graph = as_drawable(compiled_linear())
    assert node_text("l_x_", graph.nodes["l_x_"]) == "x   ·   8×4 float32   ·   model.py:7 in forward"
    expected = "y   ·   operator.matmul   ·   8×4 float32   ·   model.py:7 in forward"
    assert node_text("y", graph.nodes["y"]) == expected


def test_an_empty_inside_is_drawn_empty() -> None:
    assert not len(as_drawable(inside_to_networkx(Inside("nothing", ()))))
