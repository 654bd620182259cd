"""Settings: everything a workspace can be told, from one file, the environment and the command line.

This module owns the names, the defaults and the order in which they are overruled: defaults, forestock.toml,
FORESTOCK_* variables, arguments. No other module reads the environment or the file. What the file says about
sources and tables is only passed on, with `env:NAME` replaced by the variable's value.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
    SettingsError,
)

from ingestion.contracts import TABLES
from ingestion.errors import Problem
from warning.rulebook import configured_rules
from warning.rules import Rule

FILE = Path("forestock.toml")
PREFIX = "FORESTOCK_"
VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")

# Section of the file → its keys → the settings' names; in the environment a setting has its own name.
SECTIONS: dict[str, dict[str, str]] = {
    "workspace": {
        "folder": "workspace",
        **{name: name for name in ("period", "week_starts", "country", "currency", "language")},
    },
    "service": {name: name for name in ("host", "port", "database_url")},
    "mlflow": {"tracking_uri": "mlflow_tracking_uri", "signing_key": "mlflow_signing_key"},
    "forecast": {name: name for name in ("horizon", "levels", "threads", "hidden")},
    "supply": {
        "lead_time_days": "default_lead_time_days",
        "target": "default_target",
    },
    "warning": {"preset": "rule_preset", "capacity": "daily_capacity"},
}
PASSED_ON = ("sources", *TABLES)
# With the sources, where `env:NAME` may stand.
SECRET = ("database_url", "mlflow_tracking_uri", "mlflow_signing_key")


class Settings(BaseSettings):
    """What a workspace was told; immutable. Secrets show as stars."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    workspace: Path = Field(Path(".forestock"), description="a folder, such as .forestock")
    database_url: SecretStr = Field(
        SecretStr(""), description="an SQLAlchemy URL, such as sqlite:///store.db"
    )
    mlflow_tracking_uri: SecretStr = Field(SecretStr(""), description="a URI, such as http://127.0.0.1:5000")
    mlflow_signing_key: SecretStr = Field(SecretStr(""), description="a secret, such as env:MODEL_KEY")
    host: str = Field("127.0.0.1", min_length=1, description="an address to listen on, such as 127.0.0.1")
    port: int = Field(8000, ge=0, le=65535, description="a port from 1 to 65535, or 0 for any free one")
    language: Literal["en", "zh"] = Field("en", description="en or zh")
    country: str | None = Field(None, pattern="^[A-Z]{2}$", description="an ISO country code, such as CN")
    currency: str = Field("", max_length=8, description="written after money, such as CNY")
    period: Literal["day", "week", "month"] | None = Field(None, description="day, week or month")
    week_starts: str | None = Field(None, description="an English weekday, such as monday")
    horizon: int | None = Field(None, ge=1, le=1000, description="whole periods ahead, such as 60")
    levels: Annotated[tuple[float, ...], NoDecode] = Field(
        (0.5, 0.8, 0.9, 0.95, 0.99), min_length=1, description="levels in (0, 1), such as 0.5,0.9,0.95"
    )
    hidden: Literal["mask", "impute", "ignore"] = Field(
        "mask", description="what demand that met an empty shelf becomes: mask, impute or ignore"
    )
    threads: int | None = Field(None, ge=1, description="threads of one computation, such as 2")
    default_lead_time_days: float = Field(14.0, ge=0, le=3650, description="days, such as 14")
    default_target: float = Field(0.95, gt=0, lt=1, description="a share in (0, 1); write 95 % as 0.95")
    rule_preset: Literal["default", "literal"] = Field("default", description="default or literal")
    daily_capacity: int = Field(
        50, ge=1, description="alerts that one owner can take up in a day, such as 50"
    )
    rule_changes: list[dict[str, Any]] = Field(
        default_factory=list, description="a list of tables, each a rule with its name"
    )
    tables: dict[str, Any] = Field(
        default_factory=dict, repr=False, exclude=True, description="sources and inline tables"
    )

    @field_validator("levels", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Levels typed as one text, separated by commas."""
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("levels")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < level < 1 for level in value):
            raise ValueError("every level must lie in (0, 1)")
        return tuple(sorted(set(value)))

    @model_validator(mode="before")
    @classmethod
    def _beside(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Databases that nobody named lie in the workspace."""
        said = values.get("workspace", cls.model_fields["workspace"].default)
        if not isinstance(said, str | Path):
            return values  # the field itself says what is wrong with it
        folder = Path(said).expanduser().absolute()
        defaults = {
            "database_url": f"sqlite:///{folder / 'store.db'}",
            "mlflow_tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        }
        return defaults | values | {"workspace": folder}

    @property
    def ingestion(self) -> dict[str, Any]:
        """The part of the configuration that `ingestion.loading.load` reads."""
        clock = {"period": self.period, "week_starts": self.week_starts}
        return {"workspace": {key: value for key, value in clock.items() if value is not None}, **self.tables}

    @property
    def tracking_uri(self) -> str:
        """Where MLflow keeps runs and models, in clear."""
        return self.mlflow_tracking_uri.get_secret_value()

    @property
    def signing_key(self) -> str:
        """Secret that models are signed with, in clear; "" where they are not signed."""
        return self.mlflow_signing_key.get_secret_value()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The warning rules: the preset with its changes, before what was saved in the store."""
        return configured_rules(self.rule_preset, self.rule_changes)


def read_settings(config: Path | None = None, **arguments: Any) -> Settings:
    """Settings of a workspace.

    config: the file; None takes forestock.toml where it exists
    arguments: settings by name, overruling all else; None means not given
    Raises Problem naming where a value came from, the value and what to write instead.
    """
    origin: dict[str, str] = {}
    values, tables = _from_file(config, origin)
    try:
        environment = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise Problem(f"the environment: {error}; write tables as JSON") from None
    given = {name: value for name, value in arguments.items() if value is not None}
    origin |= {name: PREFIX + name.upper() for name in environment}
    origin |= {name: "--" + name.replace("_", "-") for name in given}
    try:
        settings = Settings(**{**values, **environment, **given})
    except ValidationError as error:
        raise Problem(_told(error, origin)) from None
    _ = settings.rules  # a rule that cannot be meant is refused now, not at the first evaluation
    # What to load stands in the file alone, where it can be reviewed.
    return settings.model_copy(update={"tables": tables})


def _from_file(config: Path | None, origin: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings by name, and sources and tables, as the file gives them; notes where each came from."""
    if config is None and not FILE.exists():
        return {}, {}
    path = config or FILE
    content = _parse(path)
    _check_names(path, "the file", content, (*SECTIONS, "rules", *PASSED_ON))
    values: dict[str, Any] = {}
    for section, keys in SECTIONS.items():
        said = content.get(section, {})
        _check_table(path, section, said)
        _check_names(path, f"[{section}]", said, tuple(keys))
        for key, value in said.items():
            values[keys[key]] = _resolve(value, path, (section, key)) if keys[key] in SECRET else value
            origin[keys[key]] = f"{path} [{section}] {key}"
    if "rules" in content:
        values["rule_changes"], origin["rule_changes"] = content["rules"], f"{path} [[rules]]"
    if "sources" in content:
        _check_table(path, "sources", content["sources"])
        for name, said in content["sources"].items():
            _check_table(path, f"sources.{name}", said)
    return values, {name: _resolve(content[name], path, (name,)) for name in PASSED_ON if name in content}


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


def _resolve(value: Any, path: Path, keys: tuple[str, ...]) -> Any:
    """The same with every `env:NAME` replaced, so that passwords need not stand in the file."""
    if isinstance(value, dict):
        return {key: _resolve(item, path, (*keys, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, path, keys) for item in value]
    match = VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    if match[1] not in os.environ:
        raise Problem(f"{path} {'.'.join(keys)} reads {value}, which is not set; set the variable {match[1]}")
    return os.environ[match[1]]


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


def _told(error: ValidationError, origin: Mapping[str, str]) -> str:
    """Where the first wrong value came from, what it is, and what to write."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{origin.get(name, name)} is no setting; use one of {', '.join(Settings.model_fields)}"
    value = "a value" if field.annotation is SecretStr else repr(first["input"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{origin.get(name, name)} must be {field.description}, got {value} ({said})"
