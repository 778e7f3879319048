"""The saved queries of the dashboard look for texts that the functions log."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUERIES = re.findall(r'message (?:= "[^"]+"|in \[[^\]]+\])', (ROOT / "dashboard.tf").read_text())
TEXTS = [text for query in QUERIES for text in re.findall('"([^"]+)"', query)]


def test_queries_are_found() -> None:
    assert "report not published" in TEXTS
    assert len(TEXTS) >= 10


def test_texts_are_in_the_source() -> None:
    trees = (ast.parse(path.read_text()) for path in (ROOT / "lambda_src").rglob("*.py"))
    constants = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(TEXTS) - constants == set()
