"""The file: what forestock.toml may say, and how it becomes settings by name.

This module owns the file's sections and keys. What it says about sources, tables, owners and channels is only
passed on, with `env:NAME` replaced by the variable's value and `file:PATH` by the file's content.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingestion.contracts import TABLES
from ingestion.errors import Problem

FILE = Path("forestock.toml")
FROM_FILE = "file:"
VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")

# Section of the file → its keys → the settings' names; in the environment a setting has its own name.
SECTIONS: dict[str, dict[str, str]] = {
    "workspace": {
        "folder": "workspace",
        **{name: name for name in ("period", "week_starts", "country", "currency", "language", "timezone")},
    },
    "service": {name: name for name in ("host", "port", "database_url")},
    "mlflow": {"tracking_uri": "mlflow_tracking_uri", "signing_key": "mlflow_signing_key"},
    "forecast": {name: name for name in ("horizon", "levels", "threads", "hidden")},
    "supply": {
        "lead_time_days": "default_lead_time_days",
        "target": "default_target",
    },
    "response": {name: name for name in ("closes", "workdays")},
    "approvals": {"channel": "approvals_channel"},
    "warning": {"preset": "rule_preset", "capacity": "daily_capacity", "pilot": "pilot"},
}
PASSED_ON = ("sources", *TABLES)
# With the sources, where `env:NAME` may stand.
SECRET = ("database_url", "mlflow_tracking_uri", "mlflow_signing_key")


def read_file(
    config: Path | None, environment: Mapping[str, str], origin: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings by name, and sources and tables, as the file gives them; notes in `origin` where each stands.

    config: the file; None takes forestock.toml where it exists
    environment: variables that `env:NAME` may name
    """
    if config is None and not FILE.exists():
        return {}, {}
    path = config or FILE
    content = _parse(path)
    _check_names(path, "the file", content, (*SECTIONS, "owners", "channels", "rules", *PASSED_ON))
    values: dict[str, Any] = {}
    for section, keys in SECTIONS.items():
        said = content.get(section, {})
        _check_table(path, section, said)
        _check_names(path, f"[{section}]", said, tuple(keys))
        for key, value in said.items():
            values[keys[key]] = (
                _resolve(value, path, (section, key), environment) if keys[key] in SECRET else value
            )
            origin[keys[key]] = f"{path} [{section}] {key}"
    for name in ("owners", "channels"):
        if name in content:
            _check_table(path, name, content[name])
            values[name] = (
                _channels(content[name], path, environment) if name == "channels" else content[name]
            )
            origin[name] = f"{path} [{name}]"
    if "rules" in content:
        values["rule_changes"], origin["rule_changes"] = content["rules"], f"{path} [[rules]]"
    if "sources" in content:
        _check_table(path, "sources", content["sources"])
        for name, said in content["sources"].items():
            _check_table(path, f"sources.{name}", said)
    return values, {
        name: _resolve(content[name], path, (name,), environment) for name in PASSED_ON if name in content
    }


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Problem(f"{path} does not exist; run `forestock init DIR` to write one") from None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}; name a readable file") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{path} must be UTF-8, byte {error.start} is not; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{path} is not TOML: {error}; correct that place") from None


def _resolve(value: Any, path: Path, keys: tuple[str, ...], environment: Mapping[str, str]) -> Any:
    """The same with every `env:NAME` and `file:PATH` replaced: passwords need not stand in the file."""
    if isinstance(value, dict):
        return {key: _resolve(item, path, (*keys, key), environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, path, keys, environment) for item in value]
    if isinstance(value, str) and value.startswith(FROM_FILE):
        return _content(Path(value.removeprefix(FROM_FILE)), f"{path} {'.'.join(keys)}")
    match = VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    if match[1] not in environment:
        raise Problem(f"{path} {'.'.join(keys)} reads {value}, which is not set; set the variable {match[1]}")
    return environment[match[1]]


def _content(path: Path, where: str) -> str:
    """What a file of a secret holds, without the line's end."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Problem(
            f"{where} reads file:{path}, which cannot be read: {why}; name a readable file"
        ) from None


def _channels(content: dict[str, Any], path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Channels with their addresses and secrets, which must not stand in the file themselves."""
    for name, said in content.items():
        _check_table(path, f"channels.{name}", said)
        for key in ("url", "secret"):
            values = said.get(key, [])
            for value in values if isinstance(values, list) else [values]:
                named = isinstance(value, str) and (VARIABLE.fullmatch(value) or value.startswith(FROM_FILE))
                if not named and not (key == "url" and said.get("kind") == "webhook"):
                    raise Problem(
                        f"{path} channels.{name}.{key} must not stand in the file; "
                        f'write "env:NAME" or "file:PATH" and keep it there'
                    )
    return _resolve(content, path, ("channels",), environment)


def _check_table(path: Path, name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise Problem(
            f"{path} {name} must be a table, got {value!r}; write it as [{name}] with keys below it"
        )


def _check_names(path: Path, where: str, said: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in said:
        if key in known:
            continue
        homes = [f"[{section}]" for section, keys in SECTIONS.items() if key in keys]
        close = difflib.get_close_matches(key, known, 2)
        if homes:
            remedy = f"move it to {' or '.join(homes)}"
        elif close:
            remedy = f"did you mean {' or '.join(close)}?"
        else:
            remedy = f"known are {', '.join(known)}"
        raise Problem(f"{path}: {where} has an unknown key {key!r}; {remedy}")
