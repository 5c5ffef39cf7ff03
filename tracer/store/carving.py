"""Every row of a tape that is still what was written, wherever it lies: by the trees where these can be followed, then
on pages that no tree leads to."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from tracer.store import schema
from tracer.store.btree import INDEX_LEAF, TABLE_LEAF, Row, Tree, leaf_rows, tree_rows
from tracer.store.pages import Pages
from tracer.store.row_checks import is_intact, tables_like

Take = Callable[[str, Row], None]
Roots = dict[str, int]


@dataclass(slots=True)
class Carving:
    """What was met: how many rows of each table, how many pages and rows of its tree that are destroyed."""

    version: int
    n_rows: dict[str, int] = field(default_factory=dict)
    n_bad: dict[str, int] = field(default_factory=dict)

    def count(self, table: str) -> None:
        self.n_rows[table] = self.n_rows.get(table, 0) + 1


def carve(pages: Pages, take: Take) -> Carving:
    """Gives each row to `take`; of those with one key the first counts."""
    version, roots = _known_schema(pages) or (_likely_version(pages), None)
    carving = Carving(version)
    known = {1} | _free_pages(pages)
    for table, root in (roots or _usual_roots(version)).items():
        tree = Tree()
        for row in _intact_rows(pages, version, table, root, tree):
            carving.count(table)
            take(table, row)
        carving.n_bad[table] = tree.n_bad
        known |= tree.pages
    if roots is None or any(carving.n_bad.values()):
        for table, row in _stray_rows(pages, version, known):
            carving.count(table)
            take(table, row)
    return carving


def is_another_database(pages: Pages) -> bool:
    """Whether it is whole at its beginning and says that it is no tape, or one of a newer format."""
    tree = Tree()
    names = [row[2] for row in leaf_rows(pages, pages[1], 100, tree)] if pages.head else []
    return bool(names) and not tree.n_bad and _known_schema(pages) is None and not _is_tape_of_known_format(pages)


def _is_tape_of_known_format(pages: Pages) -> bool:
    application, version = (int.from_bytes(pages.head[at : at + 4], "big") for at in (68, 60))
    return application == schema.APPLICATION_ID and 1 <= version <= schema.FORMAT


def _known_schema(pages: Pages) -> tuple[int, Roots] | None:
    """Of a tape whose first page is whole: its format, and the root of each table."""
    rows = list(leaf_rows(pages, pages[1], 100, Tree())) if pages.head else []
    if any(len(row) != 6 for row in rows):
        return None
    found = {(kind, name, sql) for _, kind, name, _, _, sql in rows}
    for version in range(1, schema.FORMAT + 1):
        if found == schema.tables(version):
            return version, {name: root for _, kind, name, _, root, _ in rows if kind == "table"}
    return None


def _likely_version(pages: Pages) -> int:
    """Of a tape whose first page is destroyed, the format of which most is found."""
    counts = {}
    for version in range(schema.FORMAT, 0, -1):
        trees = (_intact_rows(pages, version, table, root, Tree()) for table, root in _usual_roots(version).items())
        counts[version] = sum(table != "graph" for rows in trees for table in rows)
    return max(counts, key=lambda version: counts[version])


def _usual_roots(version: int) -> Roots:
    """Tables are made in one order, and stay where they are made."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.tables_of(version).values():
            connection.execute(statement)
        rows = connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'").fetchall()
    return dict(rows)


def _intact_rows(pages: Pages, version: int, table: str, root: int, tree: Tree) -> Iterator[Row]:
    if table not in schema.tables_of(version):
        return
    for row in tree_rows(pages, root, INDEX_LEAF if table == "meta" else TABLE_LEAF, tree):
        row = _with_key(row, table)
        if is_intact(version, table, row):
            yield row
        else:
            tree.n_bad += 1


def _with_key(row: Row, table: str) -> Row:
    """A key that is the rowid is stored as null in its column."""
    return row if table == "meta" else (row[0], *row[2:])


def _stray_rows(pages: Pages, version: int, known: set[int]) -> Iterator[tuple[str, Row]]:
    for number in pages.stored():
        data = b"" if number in known else pages[number]
        if data[:1] not in (bytes([TABLE_LEAF]), bytes([INDEX_LEAF])):
            continue
        for row in leaf_rows(pages, data, 0, Tree()):
            row = (row[0], *row[2:]) if data[0] == TABLE_LEAF else row
            for table in tables_like(version, row)[:1]:
                if (table == "meta") == (data[0] == INDEX_LEAF):
                    yield table, row


def _free_pages(pages: Pages) -> set[int]:
    """What lies on them was deleted."""
    found: set[int] = set()
    trunk = int.from_bytes(pages.head[32:36], "big") if pages.head else 0
    while trunk and trunk not in found and (data := pages[trunk]):
        found.add(trunk)
        n = min(int.from_bytes(data[4:8], "big"), len(data) // 4 - 2)
        found |= {int.from_bytes(data[at : at + 4], "big") for at in range(8, 8 + 4 * n, 4)}
        trunk = int.from_bytes(data[:4], "big")
    return found
