"""Expressions: a little arithmetic over the columns of a file, such as 1 - stockout_hours / 16.

Owns a closed grammar of numbers, columns, + - * /, comparisons, and/or/not, min, max, abs and round. An
expression is data in a configuration file, so nothing else is ever evaluated.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from ingestion.errors import Problem

OPERATORS: dict[type[ast.AST] | str, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
    ast.Not: np.logical_not,
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "round": np.round,
}
ARGUMENTS = {"min": 2, "max": 2, "abs": 1, "round": 1}
ALLOWED = "use columns, numbers, + - * /, comparisons, and/or/not, min(a, b), max(a, b), abs(a), round(a)"


def names(expression: str) -> list[str]:
    """The columns that an expression reads; a name with blanks stands in backticks.

    >>> names("1 - `hours out` / 16")
    ['hours out']
    """
    tree, quoted = _parse(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    return sorted(quoted.get(name, name) for name in found)


def evaluate(expression: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The expression's value per row, float; comparisons give 1 and 0.

    columns: name → (n,) float, NaN where unknown

    >>> evaluate("1 - hours / 16", {"hours": np.array([0.0, 4.0])}).tolist()
    [1.0, 0.75]
    """
    tree, quoted = _parse(expression)
    rows = {alias: columns[name] for alias, name in quoted.items() if name in columns}
    size = len(next(iter(columns.values()))) if columns else 0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.asarray(_value(tree.body, {**columns, **rows}, expression), dtype=float)
    value = np.broadcast_to(value, (size,)).copy()
    known = np.ones(size, dtype=bool)
    for name in names(expression):
        known &= ~np.isnan(columns[name])
    return np.where(known, value, np.nan)  # a comparison with an unknown number is unknown, not false


def _parse(expression: str) -> tuple[ast.Expression, dict[str, str]]:
    quoted: dict[str, str] = {}

    def alias(match: re.Match[str]) -> str:
        name = f"_quoted_{len(quoted)}"
        quoted[name] = match.group(1)
        return name

    try:
        return ast.parse(re.sub(r"`([^`]+)`", alias, expression.strip()), mode="eval"), quoted
    except (SyntaxError, ValueError) as error:
        raise Problem(f"the expression {expression!r} cannot be read; {ALLOWED}") from error


def _value(node: ast.AST, columns: Mapping[str, Any], expression: str) -> Any:
    """The value of one node; every kind of node that is not named here is refused."""
    symbol: ast.AST | str | None = None
    operands: list[ast.expr] = []
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in columns:
            return columns[name]
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            symbol, operands = op, [left, right]
        case ast.UnaryOp(op=op, operand=operand):
            symbol, operands = op, [operand]
        case ast.BoolOp(op=op, values=operands):
            symbol = op
        case ast.Call(func=ast.Name(id=name), args=operands, keywords=[]) if ARGUMENTS.get(name) == len(
            operands
        ):
            symbol = name
    apply = None if symbol is None else OPERATORS.get(symbol if isinstance(symbol, str) else type(symbol))
    if apply is None:
        raise Problem(f"the expression {expression!r} may not contain {ast.unparse(node)!r}; {ALLOWED}")
    values = [_value(operand, columns, expression) for operand in operands]
    result = reduce(apply, values) if len(values) > 1 else apply(values[0])
    return result * 1.0  # truth is 1, falsehood 0
