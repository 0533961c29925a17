"""What the contract tests look at: the checkout, the apps there are, the Python files of each part."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(p.name for p in (ROOT / "apps").iterdir() if p.is_dir() and (p / "__init__.py").exists())


def sources(*parts: str) -> list[Path]:
    """Python files under these folders of the checkout."""
    return sorted(path for part in parts for path in (ROOT / part).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module of a file, and whether the import runs when the file is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = _not_at_import(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            yield name, id(node) not in inner


def calls_at_import(path: Path) -> Iterator[str]:
    """Dotted names that are called, or looked up in `os`, when a file is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = _not_at_import(tree)
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, ast.Subscript):
            yield ast.unparse(node.value)


def _not_at_import(tree: ast.AST) -> set[int]:
    later = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    return {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, later) or _type_checking(outer)
        for part in _body(outer)
        for node in ast.walk(part)
    }


def _body(node: ast.AST) -> list[ast.AST]:
    """What runs later: a body, not the decorators and defaults."""
    body = getattr(node, "body", [])
    return list(body) if isinstance(body, list) else [body]


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
