"""The simulated retailer's catalogue: what it sells where, and from whom it buys on which terms.

Owns the item, place and supplier facts that everything else in the simulation is drawn from. Suppliers
carry their true lead-time distribution, which the tables never show.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import gamma


@dataclass(frozen=True)
class Category:
    """How one category behaves.

    season: relative swing of the yearly season, and peak: the day of the year on which it is highest
    weekend: extra demand on Saturday and Sunday, a share of the weekday level
    festival: extra demand at the height of the Spring Festival run-up, a share
    event: extra demand on a shopping festival, a share
    weather: log demand per degree by which a day is warmer than the season
    elasticity: log demand lost per log price
    price: median unit price
    shelf_life: days, 0 = keeps
    """

    name: str
    subcategories: tuple[str, ...]
    season: float
    peak: int
    weekend: float
    festival: float
    event: float
    weather: float
    elasticity: float
    price: float
    shelf_life: int


CATEGORIES = (
    Category("beverages", ("tea drinks", "water", "juice"), 0.40, 205, 0.25, 0.6, 0.1, 0.030, 2.0, 6.0, 270),
    Category("dairy", ("milk", "yoghurt"), 0.10, 190, 0.20, 0.3, 0.0, 0.005, 1.6, 9.0, 21),
    Category("snacks", ("nuts", "biscuits", "sweets"), 0.20, 20, 0.30, 1.2, 0.3, 0.0, 2.2, 12.0, 180),
    Category("noodles", ("instant", "dried"), 0.15, 10, 0.10, -0.2, 0.2, -0.005, 1.8, 8.0, 240),
    Category("ice cream", ("cones", "tubs"), 0.70, 205, 0.35, -0.1, 0.0, 0.050, 1.8, 15.0, 365),
    Category("personal care", ("shampoo", "toothpaste"), 0.05, 170, 0.15, 0.2, 1.2, 0.0, 2.4, 30.0, 0),
    Category("household", ("paper", "cleaning"), 0.05, 350, 0.15, 0.4, 1.0, 0.0, 2.0, 20.0, 0),
    Category("tea and gifts", ("tea", "gift boxes"), 0.25, 30, 0.15, 2.0, 0.4, 0.0, 1.4, 60.0, 540),
)
BRANDS = ("Qinghe", "Lanshan", "Baiyun", "Dongfang", "Hailan", "Jinsui", "Moli", "Nanfeng", "Shengda", "Yuhe")


@dataclass(frozen=True)
class Supplier:
    """One supplier: its promise and its truth.

    kind: steady, skewed, bimodal or late
    contract: promised lead time, days
    review: days between two order dates
    pmf: true chance of a lead time of 0, 1, … whole days; orders are independent, so that they can cross
    """

    name: str
    kind: str
    contract: int
    review: int
    pmf: np.ndarray


def _exactly(chances: dict[int, float]) -> np.ndarray:
    pmf = np.zeros(max(chances) + 1)
    pmf[list(chances)] = list(chances.values())
    return pmf / pmf.sum()


def _shifted_gamma(least: int, shape: float, scale: float) -> np.ndarray:
    """Whole days of least + gamma, rounded up, cut where less than one order in 200 takes longer."""
    longest = int(np.ceil(gamma.ppf(0.995, shape, scale=scale)))
    pmf = np.diff(gamma.cdf(np.arange(longest + 1), shape, scale=scale))
    return np.concatenate([np.zeros(least + 1), pmf / pmf.sum()])


SUPPLIERS = (
    Supplier("Huaxin Foods", "steady", 2, 1, _exactly({2: 0.97, 3: 0.03})),
    Supplier("Northern Plains", "steady", 5, 7, _exactly({5: 0.95, 6: 0.05})),
    Supplier("Jiangnan Trading", "skewed", 4, 7, _shifted_gamma(2, 2.0, 1.5)),
    Supplier("Delta Import", "skewed", 9, 7, _shifted_gamma(5, 2.0, 2.5)),
    Supplier("Two Rivers", "bimodal", 4, 7, _exactly({3: 0.05, 4: 0.70, 5: 0.05, 13: 0.05, 14: 0.15})),
    Supplier("Coastal Depot", "bimodal", 3, 3, _exactly({2: 0.1, 3: 0.6, 8: 0.1, 9: 0.2})),
    Supplier("Old Mill", "late", 4, 7, _shifted_gamma(4, 4.0, 0.8)),
    Supplier("Hillside Works", "late", 7, 7, _shifted_gamma(6, 2.0, 2.0)),
)


@dataclass(frozen=True)
class Catalogue:
    """Items × stores and their terms; series are items × stores, the stores of one item together.

    items, locations, sourcing: tables as the contracts have them
    category: (items,) position in CATEGORIES
    supplier: (items,) position in SUPPLIERS
    kind: (items,) fast, medium, slow or intermittent
    base: (items, stores) mean demand a day before any effect, units
    lot, moq: (items,) units
    first, last: (items,) day of launch (negative: long ago) and day after the last sale, from day 0
    fade: (items,) day from which a phase-out fades
    """

    items: pd.DataFrame
    locations: pd.DataFrame
    sourcing: pd.DataFrame
    category: np.ndarray
    supplier: np.ndarray
    kind: np.ndarray
    base: np.ndarray
    lot: np.ndarray
    moq: np.ndarray
    first: np.ndarray
    last: np.ndarray
    fade: np.ndarray


NEVER = 1_000_000  # a day that no simulation reaches
VOLUME = {"fast": (15.0, 0.5), "medium": (4.0, 0.5), "slow": (0.8, 0.4), "intermittent": (0.15, 0.5)}


def draw_catalogue(
    rng: np.random.Generator, items: int, stores: int, start: pd.Timestamp, days: int
) -> Catalogue:
    """Items, stores and terms, drawn at random; launches and phase-outs fall inside the `days`."""
    category = rng.integers(len(CATEGORIES), size=items)
    supplier = rng.integers(len(SUPPLIERS), size=items)
    kind = rng.choice(list(VOLUME), size=items, p=[0.25, 0.40, 0.22, 0.13])
    median, spread = np.array([VOLUME[k] for k in kind]).T
    base = median * np.exp(spread * rng.standard_normal(items))
    first, last, fade, predecessor = lives = _draw_lives(rng, items, days)
    heir = np.flatnonzero(predecessor >= 0)
    for mine in (base, kind, category):  # a successor takes its predecessor's place on the shelf
        mine[heir] = mine[predecessor[heir]]
    size = np.exp(0.3 * rng.standard_normal(stores)) * np.linspace(1.3, 0.7, stores)
    local = np.exp(0.15 * rng.standard_normal((items, stores)))
    lot = np.where(np.isin(kind, ["fast", "medium"]), rng.choice([6, 12, 24], items, p=[0.5, 0.3, 0.2]), 1)
    lot = np.where(kind == "medium", np.minimum(lot, 12), lot)
    moq = lot * rng.choice([1, 2], items, p=[0.7, 0.3])
    table = _item_table(rng, category, lives, start, days)
    locations = pd.DataFrame(
        {
            "location": [f"S{j + 1:02d}" for j in range(stores)],
            "name": [f"Store {j + 1}" for j in range(stores)],
            "kind": "store",
            "country": "CN",
            "region": np.resize(["east", "south", "north"], stores),
        }
    )
    sourcing = _sourcing_table(table, locations, supplier, lot, moq)
    return Catalogue(
        table, locations, sourcing, category, supplier, kind, base[:, None] * size * local,
        lot.astype(float), moq.astype(float), first, last, fade,
    )  # fmt: skip


def _draw_lives(
    rng: np.random.Generator, items: int, days: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Days of launch, end and fading, and each item's predecessor (-1: none)."""
    first = -rng.integers(200, 2000, items)
    last = np.full(items, NEVER)
    fade = np.full(items, NEVER)
    predecessor = np.full(items, -1)
    order = rng.permutation(items)
    new, out, ended = (round(share * items) for share in (0.08, 0.05, 0.04))
    first[order[:new]] = rng.integers(days // 3, max(days - 20, days // 3 + 1), new)
    leaving = order[new : new + out]
    fade[leaving] = rng.integers(days * 3 // 4, days, out)
    gone = order[new + out : new + out + ended]
    last[gone] = rng.integers(days // 2, max(days - 30, days // 2 + 1), ended)
    fade[gone] = last[gone] - 60
    heirs = order[:new][: len(gone)]
    predecessor[heirs] = gone[: len(heirs)]
    first[heirs] = last[predecessor[heirs]] - 14
    return first, last, fade, predecessor


def _item_table(
    rng: np.random.Generator,
    category: np.ndarray,
    lives: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    start: pd.Timestamp,
    days: int,
) -> pd.DataFrame:
    first, last, fade, predecessor = lives
    items = len(category)
    sku = np.array([f"P{i + 1:0{len(str(items))}d}" for i in range(items)])
    kinds = [CATEGORIES[c] for c in category]
    subcategory = [k.subcategories[rng.integers(len(k.subcategories))] for k in kinds]
    brand = rng.choice(BRANDS, items)
    price = np.round(np.array([k.price for k in kinds]) * np.exp(0.4 * rng.standard_normal(items)), 1)
    lifecycle = np.select(
        [last < days, fade < days, first > days - 180], ["discontinued", "phase_out", "new"], "active"
    )
    return pd.DataFrame(
        {
            "sku": sku,
            "name": [f"{b} {s} {i + 1}" for i, (b, s) in enumerate(zip(brand, subcategory, strict=True))],
            "category": [k.name for k in kinds],
            "subcategory": subcategory,
            "brand": brand,
            "unit_cost": np.round(price * rng.uniform(0.55, 0.75, items), 2),
            "unit_price": price,
            "shelf_life_days": [float(k.shelf_life) if k.shelf_life else np.nan for k in kinds],
            "lifecycle": lifecycle,
            "replaces": pd.Series(np.where(predecessor >= 0, sku[predecessor], None), dtype="str"),
            "launched_on": start + pd.to_timedelta(first, unit="D"),
        }
    )


def _sourcing_table(
    items: pd.DataFrame, locations: pd.DataFrame, supplier: np.ndarray, lot: np.ndarray, moq: np.ndarray
) -> pd.DataFrame:
    stores = len(locations)
    terms = [SUPPLIERS[s] for s in np.repeat(supplier, stores)]
    return pd.DataFrame(
        {
            "sku": np.repeat(items["sku"].to_numpy(), stores),
            "location": np.tile(locations["location"].to_numpy(), len(items)),
            "supplier": [t.name for t in terms],
            "unit_cost": np.repeat(items["unit_cost"].to_numpy(), stores),
            "moq": np.repeat(moq.astype(float), stores),
            "lot_size": np.repeat(lot.astype(float), stores),
            "review_periods": [float(t.review) for t in terms],
            "lead_time_days": [float(t.contract) for t in terms],
        }
    )
