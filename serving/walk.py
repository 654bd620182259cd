"""The walk through the rooms for one as-of date: each property is a stage, computed once, in page order.

tables → lead times → panel → model → demand → thresholds → position → risk → lots → orders → facts.
Everything a command, a page or the daily job shows is one of these.
"""

import logging
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

from forecasting.code import code_version
from forecasting.cumulative import CumulativeDemand
from forecasting.drift import is_due
from forecasting.feedback import Learned, apply_feedback, learned_from
from forecasting.models import DemandModel
from forecasting.panel import Panel, build_panel
from forecasting.surprise import surprise
from forecasting.training import TrainingReport, train
from ingestion.contracts import TABLES
from ingestion.errors import Problem
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from optimization.ahead import on_next_order_day, thresholds_ahead
from optimization.chunks import in_chunks
from optimization.cost_levels import settle_costs
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.lost_fill import settle_fill_rates
from optimization.lost_sales import settle_targets
from optimization.lots import expired_units, lots_of, lots_on_shelf
from optimization.overstock import expected_waste, overstock_outlook
from optimization.planning import recommend_orders
from optimization.position import Inbound, expect_arrivals, on_shelf
from optimization.risk import stockout_risk
from optimization.suppliers import rate_suppliers
from optimization.supply import supply_terms
from optimization.targets import Defaults, set_targets
from optimization.thresholds import derive_thresholds
from optimization.validity import in_force
from serving.facts import assemble_facts, position_attributes, supplier_facts
from serving.policies import with_targets
from serving.settings import Settings
from serving.sources import blind_positions, source_facts
from serving.store.targets import known_targets

Stage = Callable[[str], None]
# Periods ahead that are always forecast, and the most that lead times may ask for.
SHORTEST = {"day": 28, "week": 8, "month": 6}
LONGEST = {"day": 120, "week": 52, "month": 24}
LIKELY = 0.95  # lead times up to this quantile set the horizon
MOST_BEYOND = 28  # periods after the last demand that may be taken for days without a sale

log = logging.getLogger(__name__)


class Walk:
    """One as-of date's way from tables to facts.

    settings: of the workspace
    as_of: a date; the last period that was complete by then counts; None takes the last in the data
    stage: told what is being computed
    horizon: periods that must be forecast, where more than lead times ask for
    """

    def __init__(
        self,
        settings: Settings,
        as_of: pd.Timestamp | None = None,
        stage: Stage = lambda _name: None,
        horizon: int | None = None,
    ) -> None:
        self.settings, self.stage = settings, stage
        self.warehouse = Warehouse(settings.workspace / "warehouse")
        self.as_of = last_complete(self.warehouse, as_of)
        self._asked = horizon or 0
        self._targets: dict[tuple[Hashable, ...], pd.DataFrame] = {}

    @property
    def period(self) -> Period:
        """The clock of the workspace."""
        return self.warehouse.period

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables as known at the as-of date; what was not loaded is empty."""
        self.stage(f"reading tables as of {self.as_of.date()}")
        found = {name: self.warehouse.read(name, self.as_of) for name in TABLES}
        approved = known_targets(self.settings.database_url.get_secret_value())
        found["policies"] = with_targets(found["policies"], approved, self.period.end(self.as_of))
        return found

    @cached_property
    def digest(self) -> str:
        """Content hash of the data as known at the as-of date."""
        return self.warehouse.digest(self.as_of)

    def lead_times_of(self, keys: pd.DataFrame) -> tuple[pd.DataFrame, LeadTimes]:
        """Supply terms of some sku-locations and the lead times of their suppliers, row by row."""
        supply = supply_terms(keys, self.tables, self.period, self.as_of)
        learned = learn_lead_times(
            self.tables["supply_orders"],
            supply,
            self.period,
            self.as_of,
            default_days=self.settings.default_lead_time_days,
        )
        return supply, learned

    @cached_property
    def suppliers(self) -> pd.DataFrame:
        """How reliable each supplier is, those whose lead time has shifted first."""
        return rate_suppliers(self.tables["supply_orders"], self.period, self.as_of)

    @property
    def looks_ahead(self) -> bool:
        """Whether more is asked for than thresholds need: such a model must not change what they say."""
        return self._asked > self._needed

    @property
    def horizon(self) -> int:
        """Periods ahead that are forecast."""
        return max(self._needed, self._asked)

    @cached_property
    def _needed(self) -> int:
        """The longest protection interval that lead times make likely, periods."""
        least, most = SHORTEST[self.period.name], LONGEST[self.period.name]
        keys = self.tables["demand"][["sku", "location"]].drop_duplicates()
        likely = 0
        if len(keys) and not self.settings.horizon:
            supply, lead_times = self.lead_times_of(keys)
            likely = int((lead_times.quantile(LIKELY) + supply["review_periods"].to_numpy()).max())
        return self.settings.horizon or min(max(least, likely), most)

    @cached_property
    def panel(self) -> Panel:
        """The history as arrays, with the known future."""
        horizon = self.horizon
        self.stage("laying out history")
        # Corrected demand is what to learn from; what left the shelf is still what was recorded.
        tables = apply_feedback(self.tables, self.period, self.as_of)
        absent, settings = self.warehouse.absence(self.as_of), self.settings
        return build_panel(
            tables, self.period, self.as_of, horizon, absent, settings.country, settings.hidden
        )

    def train(self, said: pd.DataFrame | None = None) -> TrainingReport:
        """Fit candidates, judge them, keep the winner in the model registry.

        said: what people said beside the feedback table, in its columns; the run names it
        """
        from forecasting.tracking import recording, registry  # the tracking library takes seconds to import

        panel, whose = self.panel, identity(self.settings.workspace)
        self.stage(f"training on {panel.series} series × {panel.length} periods")
        incumbent = registry.recipe_in_force(self.settings.tracking_uri, self.as_of, whose)
        heard = self._heard(said)
        report = self._with_feedback(train(panel, threads=self.settings.threads, incumbent=incumbent), heard)
        self.stage("recording the run")
        source = recording.Source(
            data_digest=self.digest,
            code_version=code_version(),
            workspace=whose,
            look_ahead=self.looks_ahead,
            absent=self.warehouse.absent,
            country=self.settings.country,
            hidden=self.settings.hidden,
            feedback=heard,
        )
        models = self.settings.workspace / "models"
        kept = recording.record(
            report, panel, self.settings.tracking_uri, models, source, self.settings.signing_key
        )
        self.__dict__["model"] = kept
        return report

    @cached_property
    def kept_model(self) -> DemandModel | None:
        """The newest model that was kept and knew nothing after the as-of date; None where there is none."""
        return self.kept_at(self.as_of)

    def kept_at(self, as_of: pd.Timestamp) -> DemandModel | None:
        """The same of another date: the model that was in force then."""
        from forecasting.tracking import registry

        return registry.in_force(
            self.settings.tracking_uri,
            self.settings.workspace / "models",
            as_of,
            self.horizon,
            workspace=identity(self.settings.workspace),
            look_ahead=self.looks_ahead,
            signing_key=self.settings.signing_key,
        )

    @cached_property
    def model(self) -> DemandModel:
        """The model in force: the newest one that knew nothing after the as-of date; trained now if due."""
        found = self.kept_model
        if found is not None and not is_due(pd.Timestamp(found.as_of), self.as_of):
            return found
        self.train()
        return self.__dict__["model"]

    def use(self, model: DemandModel) -> None:
        """Take this model, whatever it has learned from: for dates that are older than any model kept."""
        self.__dict__["model"] = model

    @property
    def feedback(self) -> Learned:
        """The feedback that a model trained now learns from."""
        return learned_from(self.tables["feedback"], self.period, self.as_of)

    def _heard(self, said: pd.DataFrame | None) -> pd.DataFrame:
        """What people had said by the as-of date: kind, subject, value, reason, author, at."""
        rows = self.tables["feedback"]
        rows = rows[rows["at"] <= self.period.end(self.as_of)]
        parts = [part for part in (rows, said) if part is not None and len(part)]
        found = pd.concat(parts, ignore_index=True) if parts else rows
        return found.drop_duplicates(["kind", "subject"], keep="last", ignore_index=True)

    def _with_feedback(self, report: TrainingReport, heard: pd.DataFrame) -> TrainingReport:
        """The report with the feedback that was used, so that new feedback can be told from it later."""
        used = self.feedback
        about = report.model.about | {"feedback": used.digest}
        kinds = ", ".join(f"{kind} {count}" for kind, count in heard["kind"].value_counts().items())
        said = {"feedback": used.digest, "feedback_rows": used.rows, "feedback_kinds": kinds or "none"}
        parameters = report.parameters | said
        return replace(report, model=replace(report.model, about=about), parameters=parameters)

    @cached_property
    def demand(self) -> CumulativeDemand:
        """The distribution of demand summed over the periods ahead."""
        panel, model = self.panel, self.model
        self.stage("forecasting")
        return model.predict(panel, self.horizon)

    @cached_property
    def _supply(self) -> tuple[pd.DataFrame, LeadTimes]:
        return self.lead_times_of(self.demand.keys)

    @property
    def supply(self) -> pd.DataFrame:
        """Supply terms, row by row as demand."""
        return self._supply[0]

    @property
    def lead_times(self) -> LeadTimes:
        """Lead-time distributions, row by row as demand."""
        return self._supply[1]

    @cached_property
    def targets(self) -> pd.DataFrame:
        """What each series is held for, row by row as demand."""
        return self.targets_on(self.period.end(self.as_of) + pd.Timedelta(days=1))

    def targets_on(self, date: pd.Timestamp) -> pd.DataFrame:
        """The same by the policies that hold on a date."""
        holds = tuple(in_force(self.tables["policies"], date).index)
        if holds not in self._targets:
            defaults = Defaults(target=self.settings.default_target)
            told = set_targets(self.supply, self.tables["policies"], self.period, defaults, date)
            parts = self.demand, self.supply, self.lead_times
            played = settle_fill_rates(*parts, settle_targets(*parts, told))
            self._targets[holds] = settle_costs(*parts, played)
        return self._targets[holds]

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        """Safety stock, reorder point, order-up-to and overstock level."""
        demand = self.demand
        self.stage("deriving thresholds")
        supply, lead_times, targets, version = self.supply, self.lead_times, self.targets, self.model.version

        def derive(rows: slice) -> pd.DataFrame:
            parts = supply.iloc[rows], lead_times.take(rows), targets.iloc[rows]
            return derive_thresholds(demand.take(rows), *parts, version)

        return in_chunks(derive, len(demand.keys), self.settings.threads)

    def thresholds_ahead(self, words: bool = True) -> pd.DataFrame:
        """The same for each coming review period that the forecast covers, today's first."""
        demand = self.demand
        self.stage("deriving thresholds of coming periods")
        supply, lead_times, version = self.supply, self.lead_times, self.model.version

        def derive(rows: slice) -> pd.DataFrame:
            parts = demand.take(rows), supply.iloc[rows], lead_times.take(rows)
            return thresholds_ahead(
                *parts, lambda date: self.targets_on(date).iloc[rows], version, words=words
            )

        return in_chunks(derive, len(demand.keys), self.settings.threads)

    @cached_property
    def position(self) -> pd.DataFrame:
        """What is on the shelf at the as-of date: the latest count, and what moved since."""
        tables = self.tables
        return on_shelf(
            self.demand.keys,
            tables["stock"],
            tables["demand"],
            tables["supply_orders"],
            self.period,
            self.as_of,
        )

    def require_counts(self, what: str) -> None:
        """Problem where no stock was ever counted; what: that which needs it."""
        if self.position["on_hand"].isna().all():
            raise Problem(
                f"{what} needs stock counts, there is none up to {self.period.end(self.as_of).date()}; "
                "load a stock table (sku, location, as_of, on_hand)"
            )

    @cached_property
    def inbound(self) -> Inbound:
        """Open orders and when they are likely to arrive."""
        return expect_arrivals(
            self.tables["supply_orders"],
            self.tables["sourcing"],
            self.period,
            self.as_of,
            self.horizon,
            default_days=self.settings.default_lead_time_days,
        )

    @cached_property
    def risk(self) -> pd.DataFrame:
        """The chance of running out, period by period; needs counted stock."""
        self.require_counts("risk")
        demand = self.demand
        self.stage("projecting stock")
        supply, lead_times, targets = self.supply, self.lead_times, self.targets
        inbound = self.inbound
        lots = self.lots
        gone = expired_units(lots, len(self.position), self.period, self.as_of)
        position = self.position.assign(on_hand=self.position["on_hand"] - gone)

        def project(rows: slice) -> pd.DataFrame:
            part, where = demand.take(rows), position.iloc[rows]
            parts = supply.iloc[rows], lead_times.take(rows), targets.iloc[rows]
            stays = lots_of(lots, rows)
            return stockout_risk(part, *parts, position=where, inbound=inbound.of(part.keys), lots=stays)

        return in_chunks(project, len(demand.keys), self.settings.threads)

    @cached_property
    def lots(self) -> pd.DataFrame:
        """Which units stand on each shelf, and up to when they can be sold."""
        tables, life = self.tables, self.supply["shelf_life_days"].to_numpy(dtype=float)
        return lots_on_shelf(
            self.position, life, tables["lots"], tables["supply_orders"], self.period, self.as_of
        )

    @cached_property
    def overstock(self) -> pd.DataFrame:
        """How long each shelf lasts, what will expire on it, and what does not pay to keep."""
        return overstock_outlook(
            self.demand, self.supply, self.targets, position=self.position, lots=self.lots
        )

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Recommended orders, each for the next day on which it can go out."""
        today = self.targets, self.thresholds
        self.stage("planning orders")
        parts = self.demand, self.supply, self.lead_times
        targets, thresholds = on_next_order_day(*parts, self.targets_on, today)
        return recommend_orders(
            *parts,
            targets,
            thresholds=thresholds,
            position=self.position,
            inbound=self.inbound,
            expiring=self._expiring,
        )

    @property
    def _expiring(self) -> np.ndarray:
        """Units of each series that will probably expire before its next order has served its time."""
        within = self.lead_times.typical + self.supply["review_periods"].to_numpy(dtype=np.int64)
        within = within + self.supply["next_order"].to_numpy(dtype=np.int64) - 1
        return expected_waste(self.demand, self.supply, position=self.position, lots=self.lots, within=within)

    @cached_property
    def surprise(self) -> pd.DataFrame:
        """How far out the demand of the last days lies, row by row as the panel and demand."""
        panel, model = self.panel, self.model
        self.stage("looking at the last days")
        return surprise(model, panel)

    @cached_property
    def sources(self) -> pd.DataFrame:
        """How fresh each source is, and whether its figures disagree."""
        return source_facts(self.warehouse, self.tables, self.period, self.as_of)

    @cached_property
    def supplier_facts(self) -> pd.DataFrame:
        """What a warning rule can see of each supplier."""
        return supplier_facts(self.suppliers, self.inbound, self.facts)

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What a warning rule can see of each series."""
        counted = self.position["on_hand"].notna().any()
        facts = assemble_facts(
            self.demand,
            self.tables["items"],
            self.supply,
            self.lead_times,
            thresholds=self.thresholds,
            position=self.position,
            inbound=self.inbound,
            risk=self.risk if counted else None,
            orders=self.orders,
            overstock=self.overstock,
        )
        keys = self.demand.keys
        more = position_attributes(keys, self.tables, self.supply, self.position, self.period, self.as_of)
        blind = blind_positions(self.warehouse, self.sources, keys, self.as_of)
        facts = facts.assign(**more, **blind, **self.surprise)
        return facts.assign(data_as_of=self.as_of, data_digest=self.digest, model_version=self.model.version)


def identity(workspace: Path) -> str:
    """The workspace's own name among those that share a model server; given once, when first asked for."""
    path = workspace / "identity"
    if not path.exists():
        workspace.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid4().hex, encoding="ascii")
    return path.read_text(encoding="ascii")


def last_complete(warehouse: Warehouse, as_of: pd.Timestamp | None) -> pd.Timestamp:
    """First date of the last period that was complete on a date; None: on the last date of the data.

    A date that names a period (its first) or ends it means that period; within one, the period before.
    """
    first, last = warehouse.first_date(), warehouse.last_date()
    period = warehouse.period
    date = last if as_of is None else as_of.normalize()
    start = period.start(pd.DatetimeIndex([date]))[0]
    beyond = int(period.index(date)[0] - period.index(last)[0])
    if beyond > MOST_BEYOND:
        raise Problem(
            f"the as-of date must not lie {beyond} {period.name}s after the last demand ({last.date()}), "
            f"got {date.date()}; load later demand, or name a date up to it"
        )
    if beyond > 0:
        log.warning("demand ends on %s: the %ss after it count as without sales", last.date(), period.name)
    named = as_of is not None or _names_periods(warehouse)
    if date != period.end(date) and not (named and date == start):
        start = period.dates(period.index(date) - 1)[0]
    if start < period.start(pd.DatetimeIndex([first]))[0]:
        raise Problem(
            f"the as-of date must not lie before the first demand ({first.date()}), got {date.date()}; "
            f"name one up to {last.date()}"
        )
    return start


def _names_periods(warehouse: Warehouse) -> bool:
    """Whether demand is recorded by period, each named by its first date, and not by the day within it."""
    if warehouse.period.name == "day":
        return True
    dates = pd.DatetimeIndex(warehouse.read("demand", columns=["date"])["date"].unique())
    return bool((warehouse.period.start(dates) == dates).all())
