"""Configuration: how a table of forestock.toml becomes a checked object, and what is said where it cannot.

No message shows the value of a secret. A field's description says what may stand there.
"""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from ingestion.errors import Problem


class Table(BaseModel):
    """A table of the file: unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Read = TypeVar("Read", bound=Table)


def read_table(kind: type[Read], content: object, where: str, **given: Any) -> Read:
    """An object of `kind` from a table and what is known besides.

    where: the table's name, such as channels.mail; Problem states it, the rule, the value and the remedy
    """
    if not isinstance(content, Mapping):
        raise Problem(f"{where} must be a table, got {content!r}; write it as [{where}] with keys below it")
    for key in content:
        if key not in kind.model_fields or key in given:
            raise Problem(f"{where} has no {key!r}; {nearest(key, set(kind.model_fields) - set(given))}")
    try:
        return kind(**{**content, **given})
    except ValidationError as error:
        raise Problem(_told(kind, error, where)) from None


def read_tables(kind: type[Read], content: object, where: str) -> dict[str, Read]:
    """Objects by name, from a table of tables; each knows its `name`."""
    if not isinstance(content, Mapping):
        raise Problem(f"{where} must be a table of tables, got {content!r}; write [{where}.NAME]")
    return {
        name: read_table(kind, table, f"{where}.{name}", name=_named(name, where))
        for name, table in content.items()
    }


def nearest(word: str, known: Any) -> str:
    """The remedy for a word that is not known: the one that was perhaps meant, else all.

    >>> nearest("kin", ["kind", "url"]), nearest("x", ["kind", "url"])
    ("did you mean 'kind'?", 'known are kind, url')
    """
    words = sorted(map(str, known))
    close = difflib.get_close_matches(word, words, 1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(words) or 'none'}"


def _named(name: str, where: str) -> str:
    if not name or not name.replace("_", "").replace("-", "").isalnum():
        raise Problem(f"{where} names must be letters, digits, _ and -, got {name!r}; rename it")
    return name


def _told(kind: type[Table], error: ValidationError, where: str) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = kind.model_fields.get(name)
    said = first["msg"].removeprefix("Value error, ")
    if field is None:
        return f"{where}: {said}"
    if first["type"] == "missing":
        return f"{where} needs {name}: {field.description}; add it"
    secret = field.annotation is not None and SecretStr.__name__ in str(field.annotation)
    value = "a value" if secret else repr(first["input"])
    return f"{where}.{name} must be {field.description}, got {value}; {said[0].lower()}{said[1:]}"
