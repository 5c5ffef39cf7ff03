"""What the keys of nodes and module calls are called on screen."""

from collections import Counter

import networkx as nx

from tracer.model.labels import key_label


class Names:
    """Readable names of the keys of one graph; of those of its neighbours in time as well."""

    def __init__(self, graph: nx.MultiDiGraph) -> None:
        calls = [call for call in graph.graph["module_calls"] if call["grad_enabled"]]
        counts = Counter(call["path"] for call in calls)
        self._repeated = {path for path, count in counts.items() if count > 1}
        every = (*calls, *graph.graph["module_calls"])
        self._model = next((call["class"] for call in every if not call["path"]), "model")

    def of(self, key: str) -> str:
        """The name of a node, a module call, or a parameter drawn again (`name@call key`)."""
        name, at, call = key.partition("@")
        if at and "#" in call:
            return f"{name} in {key_label(call, self._model, self._repeated)}"
        return key_label(key, self._model, self._repeated)
