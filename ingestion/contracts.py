"""Contracts: every table that forestock knows, column by column.

What a workspace may hold and what each row must fulfil. Everything else in this folder is driven by these
tables: files are mapped onto them, rows that break them are quarantined, and every later room reads them.
"""

from ingestion.fields import Contract, Field, RowRule
from ingestion.subjects import VERDICTS, names_cells, states_correction, states_outcome, states_units
from ingestion.weekdays import HOW, names_weekdays

RETURNS = "demand counts what was asked for: net returns at the source or keep them out of the file"
SKU = ("sku", "items", "sku")
LOCATION = ("location", "locations", "location")


def _text(name: str, required: bool = False) -> Field:
    return Field(name, "text", required)


def _date(name: str, required: bool = False) -> Field:
    return Field(name, "date", required)


def _amount(name: str, required: bool = False, remedy: str = "") -> Field:
    return Field(name, "number", required, minimum=0, remedy=remedy)


def _price(name: str) -> Field:
    return Field(name, "number", minimum=0, zero_missing=True)


def _choice(name: str, required: bool, *choices: str) -> Field:
    return Field(name, "choice", required, choices=choices)


def _in_order(first: str, last: str) -> RowRule:
    remedy = f"correct {first} or {last}; check that date_format fits each of them"
    return RowRule(f"must not lie before {first}", remedy, last, lambda t: ~(t[last] < t[first]))


def _differ(one: str, other: str) -> RowRule:
    return RowRule(f"must differ from {one}", f"correct {other}", other, lambda t: ~(t[one] == t[other]))


ITEMS = Contract(
    "items",
    (
        _text("sku", required=True),
        _text("name"),
        _text("category"),
        _text("subcategory"),
        _text("brand"),
        _amount("unit_cost"),
        _price("unit_price"),
        Field("shelf_life_days", "number", above=0, zero_missing=True),
        _choice("lifecycle", False, "active", "new", "phase_out", "discontinued"),
        _text("replaces"),
        _date("launched_on"),
    ),
    keys=("sku",),
    master=True,
    extra="text",
    row_rules=(_differ("sku", "replaces"),),
)

LOCATIONS = Contract(
    "locations",
    (
        _text("location", required=True),
        _text("name"),
        _text("kind"),
        _text("country"),
        _text("region"),
        _amount("capacity"),
    ),
    keys=("location",),
    master=True,
    extra="text",
)

DEMAND = Contract(
    "demand",
    (
        _text("sku", required=True),
        _text("location", required=True),
        _date("date", required=True),
        _amount("quantity", required=True, remedy=RETURNS),
        Field("in_stock", "share"),
        _price("price"),
        Field("promotion", "share"),
    ),
    keys=("sku", "location", "date"),
    extra="number",
    recorded="date",
    partition="date",
    references=(SKU, LOCATION),
)

PLANS = Contract(
    "plans",
    (
        _date("date"),
        _date("start"),
        _date("end"),
        _text("sku"),
        _text("location"),
        _text("category"),
        Field("promotion", "share"),
        _price("price"),
        _text("event"),
        _amount("quantity"),
        _date("known_from"),
    ),
    keys=("date", "start", "end", "sku", "location", "category"),
    extra="number",
    unique=False,
    recorded="known_from",
    partition="date",
    references=(SKU, LOCATION),
    row_rules=(
        RowRule(
            "needs a date, or a start and an end",
            "say on which date, or from start to end, the plan holds",
            "date",
            lambda t: t["date"].notna() | (t["start"].notna() & t["end"].notna()),
        ),
        _in_order("start", "end"),
    ),
)

STOCK = Contract(
    "stock",
    (
        _text("sku", required=True),
        _text("location", required=True),
        _date("as_of", required=True),
        _amount("on_hand", required=True, remedy="count again: a shelf cannot hold less than nothing"),
        _amount("reserved"),
    ),
    keys=("sku", "location", "as_of"),
    recorded="as_of",
    partition="as_of",
    references=(SKU, LOCATION),
)

LOTS = Contract(
    "lots",
    (
        _text("sku", required=True),
        _text("location", required=True),
        _date("as_of", required=True),
        _text("lot", required=True),
        _amount("quantity", required=True),
        _date("expires_on", required=True),
    ),
    keys=("sku", "location", "as_of", "lot"),
    recorded="as_of",
    partition="as_of",
    references=(SKU, LOCATION),
)

SUPPLY_ORDERS = Contract(
    "supply_orders",
    (
        _text("order_id", required=True),
        _text("line"),
        _choice("kind", False, "purchase", "transfer", "production"),
        _text("sku", required=True),
        _text("location", required=True),
        _text("supplier", required=True),
        _amount("quantity", required=True, remedy="keep returns to the supplier out of the file"),
        _date("ordered_on", required=True),
        _date("promised_on"),
        _date("received_on"),
        _amount("received_quantity"),
    ),
    keys=("order_id", "line", "sku", "location", "received_on"),
    recorded="ordered_on",
    references=(SKU, LOCATION),
    row_rules=(_in_order("ordered_on", "received_on"),),
)

SOURCING = Contract(
    "sourcing",
    (
        _text("sku", required=True),
        _text("location", required=True),
        _text("supplier", required=True),
        _amount("unit_cost"),
        _amount("moq"),
        Field("lot_size", "number", above=0, zero_missing=True),
        Field("review_periods", "number", above=0),
        _text("order_weekdays"),
        _amount("lead_time_days"),
        _amount("lead_time_sd_days"),
        _amount("order_cost"),
        _amount("minimum_order_value"),
        Field("priority", "number"),
    ),
    keys=("sku", "location", "supplier"),
    master=True,
    references=(SKU, LOCATION),
    row_rules=(
        RowRule("must name weekdays", HOW, "order_weekdays", lambda t: names_weekdays(t["order_weekdays"])),
    ),
)

BILL_OF_MATERIALS = Contract(
    "bill_of_materials",
    (
        _text("parent", required=True),
        _text("component", required=True),
        Field("quantity_per", "number", required=True, above=0),
        Field("scrap", "number", minimum=0, below=1, remedy="write 5% as 0.05"),
    ),
    keys=("parent", "component"),
    master=True,
    references=(("parent", "items", "sku"), ("component", "items", "sku")),
    row_rules=(_differ("parent", "component"),),
)

POLICIES = Contract(
    "policies",
    (
        _text("selector", required=True),
        _choice("measure", False, "cycle_service", "fill_rate", "cost"),
        Field("target", "number", above=0, below=1, remedy="write 95% as 0.95"),
        _amount("holding_rate"),
        _amount("holding_cost"),
        _amount("shortage_cost"),
        _choice("unmet", False, "backorder", "lost"),
        Field("overstock_factor", "number", above=0),
        _text("tiers"),
        _date("valid_from"),
        _date("valid_until"),
    ),
    keys=("selector", "valid_from", "valid_until"),
    master=True,
    row_rules=(
        _in_order("valid_from", "valid_until"),
        RowRule(
            "is needed unless the measure is cost",
            "give the target to reach, such as 0.95",
            "target",
            lambda t: (t["measure"] == "cost") | t["target"].notna(),
        ),
    ),
)

FEEDBACK = Contract(
    "feedback",
    (
        _choice("kind", True, "verdict", "demand_correction", "override", "event_tag"),
        _text("subject", required=True),
        _text("value", required=True),
        _text("reason"),
        _text("author", required=True),
        _date("at", required=True),
    ),
    keys=("at", "kind", "subject", "author"),
    unique=False,
    recorded="at",
    row_rules=(
        RowRule(
            "must be sku@location@date, or sku@location@first..last",
            "write it like tea@shop 1@2024-03-31; * for every sku or location, but not with a quantity",
            "subject",
            names_cells,
        ),
        RowRule(
            "must be a quantity of one date, or missing for a demand_correction",
            "write units, at least 0; correct a range date by date, or as missing",
            "value",
            states_correction,
        ),
        RowRule(
            "must be units of at least 0 for an override",
            "write the units expected over all dates of the subject",
            "value",
            states_units,
        ),
        RowRule(
            f"must be one of {', '.join(VERDICTS)} for a verdict",
            "write one of these words in small letters; in Excel as text",
            "value",
            states_outcome,
        ),
    ),
)

TABLES = {
    contract.name: contract
    for contract in (
        ITEMS,
        LOCATIONS,
        DEMAND,
        PLANS,
        STOCK,
        LOTS,
        SUPPLY_ORDERS,
        SOURCING,
        BILL_OF_MATERIALS,
        POLICIES,
        FEEDBACK,
    )
}
