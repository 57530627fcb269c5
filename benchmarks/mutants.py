"""How many small faults in the losses and in the statistics their own tests catch.

    python benchmarks/mutants.py [--each 100] [--only losses]

A mutant is the package with one operator, comparison, number or condition changed. Of all that there can be, `--each`
are drawn for each package with a fixed seed; the tests of it, and its doctests, are run against each in a
copy, and stop at the first failure. A mutant that runs on for ten times as long as the tests need is caught, too.
Some of those that survive change nothing that can be seen (`x < 0` for `x <= 0` where x is never 0). Prints them, and
writes benchmarks/results/mutants.json.
"""

import argparse
import ast
import datetime
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdcourse import store
from kdcourse.stats import proportion_interval

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "mutants.json"
TESTS = {"losses": ["losses"], "stats": ["stats", "paired", "calibration"]}  # of each package, test_NAME*.py
OTHER = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.USub: ast.UAdd,
}  # fmt: skip


def inner(node):
    """A node and those in it; messages of errors and annotations are passed over."""
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            seen = name not in ("annotation", "returns", "decorator_list")
            if seen and isinstance(child, ast.AST) and not isinstance(child, ast.Raise | ast.JoinedStr):
                yield from inner(child)


def change(node):
    """(field, its new value) of a node in which something is to be changed, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        return "value", not node.value if isinstance(node.value, bool) else node.value + 1
    if isinstance(node, ast.If | ast.IfExp):
        return "test", ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.Compare):
        return "ops", [OTHER[type(node.ops[0])](), *node.ops[1:]]
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp) and type(node.op) in OTHER:
        return "op", OTHER[type(node.op)]()
    if isinstance(node, ast.UnaryOp):  # not, ~
        return "operand", ast.UnaryOp(node.op, node.operand)
    return None


def mutants(path):
    """(line, what was there, what is there now, the whole source) of every change of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in inner(tree):
        if found := change(node):
            name, new = found
            old, before = getattr(node, name), ast.unparse(node).splitlines()[0]
            setattr(node, name, new)
            yield node.lineno, before, ast.unparse(node).splitlines()[0], ast.unparse(tree)
            setattr(node, name, old)


def passes(copy, package, limit):
    """Whether the tests of a package pass in the copy; None if they run on for longer than `limit` seconds."""
    tests = [path for name in TESTS[package] for path in sorted((copy / "tests").glob(f"test_{name}*.py"))]
    tests.append(copy / "kdcourse" / package)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, tests)]
    environment = os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    return done.returncode == 0


def measured(copy, package, each):
    start = time.monotonic()
    if not passes(copy, package, None):
        raise SystemExit(f"the tests of {package} fail before anything is changed")
    limit = 10 * (time.monotonic() - start)
    paths = sorted((copy / "kdcourse" / package).rglob("*.py"))
    all_of_them = [(path, *one) for path in paths for one in mutants(path)]
    drawn = random.Random(0).sample(all_of_them, min(each, len(all_of_them)))
    survivors = []
    for path, line, before, after, whole in drawn:
        was = path.read_text(encoding="utf-8")
        path.write_text(whole, encoding="utf-8")
        if passes(copy, package, limit):
            name = path.relative_to(copy).as_posix()
            survivors.append(f"{name}:{line}: {before}  ->  {after}")
            print(survivors[-1], flush=True)
        path.write_text(was, encoding="utf-8")
    caught = len(drawn) - len(survivors)
    low, high = proportion_interval(caught, len(drawn))
    print(f"{package}: {caught} of {len(drawn)} caught, {caught / len(drawn):.0%} [{low:.0%}, {high:.0%}]", flush=True)
    counts = {"possible": len(all_of_them), "drawn": len(drawn), "caught": caught, "low": low, "high": high}
    return counts | {"survivors": survivors}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=100, help="mutants of each package")
    parser.add_argument("--only", choices=TESTS, nargs="+", default=[*TESTS])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
        for name in filter(None, names):
            if (ROOT / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
        found = {package: measured(copy, package, arguments.each) for package in arguments.only}
    kept = store.load_json(RESULTS) if RESULTS.exists() else {}
    store.save_json(RESULTS, kept | {"date": str(datetime.date.today())} | found)


if __name__ == "__main__":
    main()
