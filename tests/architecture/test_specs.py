"""Every row of every table in specs/ names a test, and every test that is named exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = sorted((ROOT / "specs").glob("*.md"))
REFERENCE = re.compile(r"`((?:tests/)?[\w./-]*test_\w+\.py)::(\w+)`")


@cache
def names(path: Path) -> frozenset[str]:
    """The functions and constants of a test module."""
    tree = ast.parse(path.read_text("utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assigned = (node.targets for node in tree.body if isinstance(node, ast.Assign))
    annotated = (node.target for node in tree.body if isinstance(node, ast.AnnAssign))
    targets = [*(target for each in assigned for target in each), *annotated]
    return frozenset(found | {target.id for target in targets if isinstance(target, ast.Name)})


@cache
def modules(name: str) -> tuple[Path, ...]:
    """The test modules that a reference may mean: a path from the root, or a file name anywhere below tests/."""
    if name.startswith("tests/"):
        return (ROOT / name,) if (ROOT / name).is_file() else ()
    return tuple(path for path in (ROOT / "tests").rglob(Path(name).name) if str(path).endswith(f"/{name}"))


def rows(path: Path) -> list[str]:
    """The rows of tables whose last column is named test."""
    found, inside = [], False
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
        elif re.search(r"\|\s*tests?\s*\|$", line, re.IGNORECASE):
            inside = True
        elif inside and not line.startswith("| ---") and not line.startswith("|---"):
            found.append(line)
    return found


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_every_test_that_a_table_names_exists(table: Path) -> None:
    missing = [
        f"{module}::{name}"
        for module, name in REFERENCE.findall(table.read_text("utf-8"))
        if not any(name in names(path) for path in modules(module))
    ]
    assert not missing


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_every_row_of_a_table_names_a_test_or_a_defect(table: Path) -> None:
    bare = [row for row in rows(table) if not REFERENCE.search(row) and '"' not in row.rsplit("|", 2)[-2]]
    assert not bare


def test_there_are_tables_for_the_formats_and_protocols() -> None:
    assert {"sd-jwt.md", "sd-jwt-vc.md", "iso18013-5.md", "token-status-list.md", "openid4vci.md", "openid4vp.md"} <= {
        path.name for path in TABLES
    }
