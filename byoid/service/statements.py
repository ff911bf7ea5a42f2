"""SQLAlchemy Core statements, compiled once to the driver's SQL and then run without SQLAlchemy.

Performance section 6: Core costs four times the driver for every execution; compiled once, it costs next to nothing.
Only what is portable is compiled: tables, Core constructs and `insert` of this module, never engine-specific SQL.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BindParameter, Delete, Insert, Select, Update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

# PostgreSQL's `insert` has `on_conflict_do_nothing` and `on_conflict_do_update`, and compiles for SQLite as well.
__all__ = ["NO_PARAMETERS", "PreparedStatement", "Statement", "Statements", "insert"]

Statement = Select[Any] | Insert | Update | Delete
NO_PARAMETERS: Final[Mapping[str, Any]] = {}
_MAX_STATEMENTS: Final = 2000  # statements are constants of a store; the bound only catches one built at each call
Convert = Callable[[Any], Any]


class PreparedStatement:
    """A statement as the driver takes it: SQL text, the order of its parameters, and how to read its rows."""

    def __init__(
        self,
        compiled: SQLCompiler,
        dialect: Dialect,
        *,
        columns: Sequence[tuple[str, TypeEngine[Any]]],
        lists: Mapping[str, Any],
    ) -> None:
        self.names = frozenset(key for key, bind in compiled.binds.items() if bind.required)
        # A list of values has become as many parameters as it has members: `ids_1`, `ids_2` and so on.
        expanded = compiled.construct_expanded_state({name: lists.get(name) for name in self.names})
        self.sql = expanded.statement
        order = expanded.positiontup or []
        self.parameters = len(order)
        self._constants = {key: expanded.parameters[key] for key in order if key not in self.names}
        self._values = _getter(order)
        writers = [_impl(_bind(compiled, key).type, dialect).bind_processor(dialect) for key in order]
        self._writers = [(place, write) for place, write in enumerate(writers) if write]
        self.returns_rows = bool(columns)
        # Typed as Any: mypy knows no named tuple whose fields are found at run time.
        self._row: Any = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # as above
        readers = [_impl(type_, dialect).result_processor(dialect, None) for _, type_ in columns]
        self._readers = [(place, read) for place, read in enumerate(readers) if read]

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the driver's order and types.

        Raises:
            TypeError: a parameter is missing, or is not one of the statement's.
        """
        if len(parameters) != len(self.names) or not self.names.issuperset(parameters):
            raise TypeError(f"expected the parameters {sorted(self.names)}, got {sorted(parameters)}")
        found = list(self._values({**parameters, **self._constants} if self._constants else parameters))
        for place, write in self._writers:
            found[place] = write(found[place])
        return found

    def rows(self, raw: Iterable[Any]) -> list[Any]:
        """Return the driver's rows as named tuples of Python values."""
        return list(map(self._row._make, map(self._read, raw) if self._readers else raw))

    def _read(self, row: Iterable[Any]) -> list[Any]:
        found = list(row)
        for place, read in self._readers:
            found[place] = read(found[place])
        return found


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    """Return what picks these members of a mapping, in this order."""
    match len(names):
        case 0:
            return lambda _: ()
        case 1:
            return lambda values: (values[names[0]],)
        case _:
            return itemgetter(*names)


class Statements:
    """The statements of one engine, each compiled at its first use and found again by identity."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._prepared: dict[Statement, PreparedStatement] = {}

    def prepare(self, statement: Statement, parameters: Mapping[str, Any]) -> PreparedStatement:
        """Return the compiled statement. The names in `parameters` decide the columns of an insert without values."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            compiled = _compile(statement, parameters, self._dialect)
            lists = {key: parameters[key] for key, bind in compiled.binds.items() if bind.expanding and bind.required}
            prepared = PreparedStatement(compiled, self._dialect, columns=_columns(statement), lists=lists)
            if lists:  # `IN` of a list of any length: its text differs from call to call
                return prepared
            if len(self._prepared) >= _MAX_STATEMENTS:
                self._prepared.clear()
            self._prepared[statement] = prepared
        return prepared


def _columns(statement: Statement) -> list[tuple[str, TypeEngine[Any]]]:
    return [(column.key or "", column.type) for column in statement.exported_columns]


def _compile(statement: Statement, parameters: Mapping[str, Any], dialect: Dialect) -> SQLCompiler:
    source = statement.inline() if isinstance(statement, Insert) and not _columns(statement) else statement
    compiled = source.compile(dialect=dialect, column_keys=list(parameters))
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"expected a Core statement, got {type(statement).__name__}")
    if compiled.insert_prefetch or compiled.update_prefetch:
        raise TypeError("a column has a default in Python: name its value in the statement")
    return compiled


def _impl(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)


def _bind(compiled: SQLCompiler, key: str) -> BindParameter[Any]:
    """Return the parameter that `key` stands for: SQLAlchemy calls the members of a list `ids` `ids_1`, `ids_2`."""
    return compiled.binds[key if key in compiled.binds else key.rpartition("_")[0]]
