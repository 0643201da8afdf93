"""Each numbered fault that users of such systems have met has a test that names it."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
EXPECTED = set(range(1, 21))


def cases_in(source: str) -> set[int]:
    """Numbers in `@pytest.mark.case(N)` of test functions and classes."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.case":
                    found.add(ast.literal_eval(mark.args[0]))
    return found


def test_every_case_has_a_test():
    found = set()
    for path in HERE.rglob("test_*.py"):
        found |= cases_in(path.read_text(encoding="utf-8"))

    assert found >= EXPECTED, f"no test names the cases {sorted(EXPECTED - found)}"


def test_the_check_sees_a_mark():
    assert cases_in("@pytest.mark.case(7)\ndef test_x(): ...") == {7}
