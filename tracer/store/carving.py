"""Every row of a tape that is still what was written, wherever it lies: by the trees where these can be followed, then
on pages that no tree leads to."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

from tracer.store import schema
from tracer.store.btree import INDEX_LEAF, TABLE_LEAF, Row, Tree, leaf_rows, tree_rows
from tracer.store.pages import Pages
from tracer.store.row_checks import is_intact, tables_like

Roots = dict[str, int]


class Carving:
    """`version` is the format; once `rows` are through, `n_rows` says how many each table gave, and `n_bad` how many
    pages and rows of it are destroyed."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        known = _known_schema(pages)
        self.has_schema = known is not None
        self.version = _likely_version(pages) if known is None else known[0]
        self._roots = _usual_roots(self.version) if known is None else known[1]
        self.n_rows: Counter[str] = Counter()
        self.n_bad: Counter[str] = Counter()

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Each with its table; of those with one key the first counts."""
        for table, row in self._rows():
            self.n_rows[table] += 1
            yield table, row

    def digests(self) -> dict[int, bytes]:
        """Of structures by number, as the index has them."""
        rows = tree_rows(self._pages, self._roots["sqlite_autoindex_structure_1"], INDEX_LEAF, Tree())
        return {row[1]: row[0] for row in rows if tuple(map(type, row)) == (bytes, int)}

    def _rows(self) -> Iterator[tuple[str, Row]]:
        known = {1} | _free_pages(self._pages)
        for table in schema.tables_of(self.version):
            tree = Tree()
            for row in _intact_rows(self._pages, self.version, table, self._roots[table], tree):
                yield table, row
            self.n_bad[table] = tree.n_bad
            known |= tree.pages
        if not self.has_schema or self.n_bad.total():
            yield from _stray_rows(self._pages, self.version, known)


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
            return version, {name: root for _, _, name, _, root, _ in rows}
    return None


def _likely_version(pages: Pages) -> int:
    """Of a tape whose first page is destroyed, the format of which most is found."""
    counts = {}
    for version in range(schema.FORMAT, 0, -1):
        roots = _usual_roots(version)
        tables = [table for table in schema.tables_of(version) if table != "graph"]
        counts[version] = sum(1 for table in tables for _ in _intact_rows(pages, version, table, roots[table], Tree()))
    return max(counts, key=lambda version: counts[version])


def _usual_roots(version: int) -> Roots:
    """Tables are made in one order, and stay where they are made."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.tables_of(version).values():
            connection.execute(statement)
        rows = connection.execute("SELECT name, rootpage FROM sqlite_schema").fetchall()
    return dict(rows)


def _intact_rows(pages: Pages, version: int, table: str, root: int, tree: Tree) -> Iterator[Row]:
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
                # Values that came late may have been folded since, and newer ones have come.
                if table != "late" and (table == "meta") == (data[0] == INDEX_LEAF):
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
