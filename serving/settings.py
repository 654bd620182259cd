"""Settings: everything a workspace can be told, from one file, the environment and the command line.

This module owns the names, the defaults and the order in which they are overruled: defaults, forestock.toml
(`serving.settings_file`), FORESTOCK_* variables, arguments. No other module reads the environment.
"""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
    SettingsError,
)

from ingestion.errors import Problem
from serving.settings_file import read_file
from warning.channels.opening import configured_channels
from warning.hours import WEEKDAYS, Hours, home_of, read_clock
from warning.owners import configured_owners
from warning.routing import Desk, check_approvals
from warning.rulebook import configured_rules
from warning.rules import Rule

PREFIX = "FORESTOCK_"


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
    pilot: dict[str, Any] = Field(
        default_factory=dict, description='columns and their values, such as { category = ["milk"] }'
    )
    rule_changes: list[dict[str, Any]] = Field(
        default_factory=list, description="a list of tables, each a rule with its name"
    )
    timezone: str = Field("", description="an IANA time zone, such as Asia/Shanghai")
    closes: str = Field("18:00", description="the end of a business day, such as 18:00")
    workdays: tuple[str, ...] = Field(WEEKDAYS[:5], min_length=1, description="English weekdays in a list")
    owners: dict[str, Any] = Field(default_factory=dict, description="owners by name")
    channels: dict[str, Any] = Field(
        default_factory=dict, repr=False, exclude=True, description="channels by name"
    )
    approvals_channel: str = Field("", description="the name of a channel of kind webhook")
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

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value and value not in available_timezones():
            raise ValueError("the time zone database has no such zone")
        return value

    @field_validator("closes")
    @classmethod
    def _clock(cls, value: str) -> str:
        read_clock(value)
        return value

    @field_validator("workdays")
    @classmethod
    def _weekdays(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(WEEKDAYS):
            raise ValueError(f"weekdays are {', '.join(WEEKDAYS)}")
        return value

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

    @cached_property
    def desk(self) -> Desk:
        """Who answers for alerts, by when, and where they are told."""
        channels = configured_channels(self.channels)
        hours = Hours(
            self.timezone or home_of(self.country), self.country, self.workdays, read_clock(self.closes)
        )
        return Desk(
            configured_owners(self.owners, channels),
            channels,
            hours,
            check_approvals(channels, self.approvals_channel),
            self.currency,
            self.language,
            self.daily_capacity,
        )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The warning rules: the preset with its changes, before what was saved in the store."""
        return configured_rules(self.rule_preset, self.rule_changes, self.pilot)


def read_settings(config: Path | None = None, **arguments: Any) -> Settings:
    """Settings of a workspace.

    config: the file; None takes forestock.toml where it exists
    arguments: settings by name, overruling all else; None means not given
    Raises Problem naming where a value came from, the value and what to write instead.
    """
    origin: dict[str, str] = {}
    values, tables = read_file(config, os.environ, origin)
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
    # A rule or a channel that cannot be meant is refused now, not at the first evaluation.
    _ = settings.rules, settings.desk
    # What to load stands in the file alone, where it can be reviewed.
    return settings.model_copy(update={"tables": tables})


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
