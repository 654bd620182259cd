"""The simulated retailer's true demand: what customers would buy if no shelf were ever empty.

Owns the effects (season, weekday, price, promotions, holidays, weather, shocks) and the draws. Takes the
catalogue; gives the true demand per series and day, prices, and the plan of promotions and events.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from ingestion.errors import Problem
from ingestion.retailer_catalogue import CATEGORIES, Catalogue

FIRST_YEAR, LAST_YEAR = 2018, 2030  # the lunar dates below
SPRING_FESTIVAL = [
    "2018-02-16", "2019-02-05", "2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10",
    "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03",
]  # fmt: skip
MID_AUTUMN = [
    "2018-09-24", "2019-09-13", "2020-10-01", "2021-09-21", "2022-09-10", "2023-09-29", "2024-09-17",
    "2025-10-06", "2026-09-25", "2027-09-15", "2028-10-03", "2029-09-22", "2030-09-12",
]  # fmt: skip
EVENTS = {"618": ("06-16", "06-18"), "Double 11": ("11-09", "11-11")}
DEPTHS = np.array([0.1, 0.15, 0.2, 0.3, 0.4])
# Standard deviation and memory of a day: of the weather that all share, degrees; of each store's own, without
# memory; of shocks to demand, as logarithms.
SPELL, LOCAL = (3.0, 0.8), 0.5
SHOCKS = {"store": (0.06, 0.6), "category": (0.06, 0.85), "own": (0.14, 0.8)}


@dataclass(frozen=True)
class DemandTruth:
    """What customers want and what they see, day by day.

    quantity: (series, days) units wanted, float32
    expected: (series, days) its mean given season, price, promotions and holidays, before weather and shocks
    price, promotion: (items, days) price on the shelf, and depth of the price cut, 0–1
    temperature: (stores, days) degrees
    alive: (items, days) between launch and end
    plans: announced promotions and events, with known_from
    """

    quantity: np.ndarray
    expected: np.ndarray
    price: np.ndarray
    promotion: np.ndarray
    temperature: np.ndarray
    alive: np.ndarray
    plans: pd.DataFrame


def draw_demand(rng: np.random.Generator, catalogue: Catalogue, dates: pd.DatetimeIndex) -> DemandTruth:
    """True demand of every series on `dates`; a `Problem` where the lunar calendar is not known."""
    if dates[0].year < FIRST_YEAR or dates[-1].year > LAST_YEAR:
        raise Problem(
            f"the simulated calendar runs from {FIRST_YEAR} to {LAST_YEAR}, got {dates[0].date()} to "
            f"{dates[-1].date()}; start later or simulate fewer days"
        )
    items, stores = catalogue.base.shape
    promotion, promotions = _draw_promotions(rng, catalogue, dates)
    list_price = _draw_prices(rng, catalogue, len(dates))
    alive, life = _lives(catalogue, len(dates))
    elasticity = np.array([CATEGORIES[c].elasticity for c in catalogue.category])[:, None]
    elasticity = elasticity * np.exp(0.15 * rng.standard_normal((items, 1)))
    reference = catalogue.items["unit_price"].to_numpy()[:, None]
    price = np.round(list_price * (1 - promotion), 2)
    # A promotion is seen as well as cheap, hence the display effect beside the price effect.
    effect = (price / reference) ** -elasticity * np.where(promotion > 0, 1.2, 1.0) * _dip(promotion)
    drift = 1 + rng.uniform(-0.12, 0.12, (items, 1)) * (np.arange(len(dates)) / 365.25 - 1)
    effect *= life * drift * _calendar(dates)[catalogue.category]
    expected = np.repeat(effect, stores, axis=0) * catalogue.base.reshape(-1, 1)
    temperature = _draw_weather(rng, stores, dates)
    wanted = expected * _weather_effect(catalogue, temperature, dates) * _shocks(rng, catalogue, len(dates))
    return DemandTruth(
        _draw_counts(rng, np.repeat(catalogue.kind, stores), wanted).astype(np.float32),
        expected.astype(np.float32),
        price,
        promotion,
        temperature,
        alive,
        pd.concat([promotions, _events(dates)], ignore_index=True).sort_values(
            ["start", "sku", "event"], ignore_index=True
        ),
    )


def _draw_promotions(
    rng: np.random.Generator, catalogue: Catalogue, dates: pd.DatetimeIndex
) -> tuple[np.ndarray, pd.DataFrame]:
    """Waves of promotions over each category; a third of its items joins each. (items, days) and plans."""
    days = len(dates)
    depth = np.zeros((len(catalogue.category), days), dtype=np.float32)
    rows = []
    for c in range(len(CATEGORIES)):
        members = np.flatnonzero(catalogue.category == c)
        day = int(rng.integers(0, 42))
        while day < days:
            length = int(rng.choice([7, 10, 14]))
            join = members[rng.random(len(members)) < 0.35]
            join = join[(catalogue.first[join] < day - 28) & (catalogue.fade[join] > day)]
            cut = rng.choice(DEPTHS, len(join)).astype(np.float32)
            depth[join, day : day + length] = cut[:, None]
            known = day - int(rng.integers(35, 57))
            rows += [(i, day, day + length - 1, d, known) for i, d in zip(join, cut, strict=True)]
            day += length + int(rng.integers(21, 46))
    item, first, final, cut_, known_ = map(np.array, zip(*rows, strict=True)) if rows else [np.zeros(0)] * 5
    sku = catalogue.items["sku"].to_numpy()[item.astype(int)]
    return depth, pd.DataFrame(
        {
            "start": dates[0] + pd.to_timedelta(first.astype(int), unit="D"),
            "end": dates[0] + pd.to_timedelta(final.astype(int), unit="D"),
            "sku": pd.Series(sku, dtype="str"),
            "promotion": np.round(cut_.astype(float), 2),
            "event": pd.Series([None] * len(sku), dtype="str"),
            "known_from": dates[0] + pd.to_timedelta(known_.astype(int), unit="D"),
        }
    )


def _events(dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Shopping festivals, known half a year ahead."""
    frames = [
        pd.DataFrame({"start": [f"{y}-{first}"], "end": [f"{y}-{final}"], "event": [name]})
        for y in range(dates[0].year, dates[-1].year + 1)
        for name, (first, final) in EVENTS.items()
    ]
    events = pd.concat(frames, ignore_index=True)
    events["start"] = pd.to_datetime(events["start"])
    events["end"] = pd.to_datetime(events["end"])
    events["known_from"] = events["start"] - pd.Timedelta(days=180)
    events = events[(events["start"] <= dates[-1]) & (events["end"] >= dates[0])]
    return events.assign(sku=pd.Series(None, index=events.index, dtype="str"), promotion=np.nan)


def _draw_prices(rng: np.random.Generator, catalogue: Catalogue, days: int) -> np.ndarray:
    """(items, days) list price: the catalogue price, moved by up to three small changes."""
    items = len(catalogue.category)
    steps = np.zeros((items, days))
    for _ in range(3):
        move = np.where(rng.random(items) < 0.5, rng.uniform(-0.05, 0.08, items), 0.0)
        steps[np.arange(items), rng.integers(0, days, items)] += move
    path = np.exp(np.cumsum(steps, axis=1))
    return np.round(catalogue.items["unit_price"].to_numpy()[:, None] * path, 1)


def _lives(catalogue: Catalogue, days: int) -> tuple[np.ndarray, np.ndarray]:
    """(items, days) alive, and the share of full demand: new items ramp up, phase-outs fade."""
    day = np.arange(days)
    alive = (day >= catalogue.first[:, None]) & (day < catalogue.last[:, None])
    ramp = 1 - 0.7 * np.exp(-np.maximum(day - catalogue.first[:, None], 0) / 15)
    fade = np.exp(-np.maximum(day - catalogue.fade[:, None], 0) / 60)
    return alive, np.where(alive, ramp * fade, 0.0)


def _dip(promotion: np.ndarray) -> np.ndarray:
    """(items, days) factor below one after a promotion: customers have stocked up; gone in a week."""
    left = lfilter([0, 1], [1, -0.7], promotion, axis=1)
    return np.where(promotion > 0, 1.0, 1 - 0.4 * np.minimum(left, 0.9))


def _calendar(dates: pd.DatetimeIndex) -> np.ndarray:
    """(categories, days) factor of season, weekday, holidays and shopping festivals."""
    year, weekday = dates.day_of_year.to_numpy(), dates.day_of_week.to_numpy()
    festival, autumn, public, event = _holidays(dates)
    factor = np.empty((len(CATEGORIES), len(dates)))
    for c, kind in enumerate(CATEGORIES):
        season = 1 + kind.season * np.cos(2 * np.pi * (year - kind.peak) / 365.25)
        weekend = 1 + kind.weekend * np.array([-0.1, -0.1, 0, 0, 0.3, 1, 0.9])[weekday]
        mooncakes = 1.5 if kind.name == "tea and gifts" else 0.15
        holiday = (1 + kind.festival * np.maximum(festival, 0)) * (1 + 0.4 * np.minimum(festival, 0))
        holiday *= (1 + mooncakes * autumn) * (1 + 0.25 * public) * (1 + kind.event * event)
        factor[c] = season * weekend * holiday
    return factor


def _holidays(dates: pd.DatetimeIndex) -> tuple[np.ndarray, ...]:
    """(days,) each: Spring Festival run-up (to 1) and lull (to -1), Mid-Autumn run-up, public, shopping."""
    day = dates.to_numpy().astype("datetime64[D]")
    festival, autumn, event = np.zeros(len(day)), np.zeros(len(day)), np.zeros(len(day))
    for eve in SPRING_FESTIVAL:
        offset = (day - np.datetime64(date.fromisoformat(eve))).astype(int)
        festival += np.where((offset >= -14) & (offset < 0), (offset + 15) / 14, 0)
        festival -= np.where((offset >= 0) & (offset <= 4), 1 - offset / 5, 0)
    for eve in MID_AUTUMN:
        offset = (day - np.datetime64(date.fromisoformat(eve))).astype(int)
        autumn += np.where((offset >= -10) & (offset <= 0), (offset + 11) / 11, 0)
    month_day = dates.strftime("%m-%d").to_numpy().astype("U5")
    public = (month_day == "01-01") | ((month_day >= "05-01") & (month_day <= "05-03"))
    public = public | ((month_day >= "10-01") & (month_day <= "10-07"))
    for first, final in EVENTS.values():
        event += (month_day >= first) & (month_day <= final)
    return festival, autumn, public.astype(float), event


def _draw_weather(rng: np.random.Generator, stores: int, dates: pd.DatetimeIndex) -> np.ndarray:
    """(stores, days) temperature: one season for all, one spell of weather for all, a little of each."""
    spread, memory = SPELL
    noise = rng.normal(0, spread * np.sqrt(1 - memory**2), len(dates) + 50)
    spell = lfilter([1], [1, -memory], noise)[50:]
    local = rng.normal(0, LOCAL, (stores, len(dates)))
    return np.round(_normal_temperature(dates) + spell + local, 1)


def _normal_temperature(dates: pd.DatetimeIndex) -> np.ndarray:
    return 16 + 12 * np.cos(2 * np.pi * (dates.day_of_year.to_numpy() - 205) / 365.25)


def _weather_effect(catalogue: Catalogue, temperature: np.ndarray, dates: pd.DatetimeIndex) -> np.ndarray:
    """(series, days) factor of a day that is warmer or colder than the season."""
    anomaly = temperature - _normal_temperature(dates)
    return _warmth(_slopes(catalogue.category)[:, None, None], anomaly[None]).reshape(-1, len(dates))


def _slopes(category: np.ndarray) -> np.ndarray:
    return np.array([CATEGORIES[c].weather for c in category])


def _warmth(slope: np.ndarray, anomaly: np.ndarray) -> np.ndarray:
    """Factor with mean one of days so many degrees off the season."""
    return np.exp(slope * anomaly - slope**2 * (SPELL[0] ** 2 + LOCAL**2) / 2)


def _shocks(rng: np.random.Generator, catalogue: Catalogue, days: int) -> np.ndarray:
    """(series, days) factor with mean one: shocks shared by a store, by a category, and each series' own.

    They last for days, so that the errors of even a perfect forecast are autocorrelated.
    """
    items, stores = catalogue.base.shape
    rows = {"store": stores, "category": len(CATEGORIES), "own": items * stores}
    drawn = {name: _spells(rng, rows[name], days, *SHOCKS[name]) - SHOCKS[name][0] ** 2 / 2 for name in rows}
    own = drawn["own"].reshape(items, stores, days)
    return np.exp(own + drawn["store"][None] + drawn["category"][catalogue.category][:, None]).reshape(
        -1, days
    )


def _spells(rng: np.random.Generator, rows: int, days: int, spread: float, memory: float) -> np.ndarray:
    """(rows, days) of a first-order autoregression with mean zero and a standard deviation of `spread`."""
    noise = rng.normal(0, spread * np.sqrt(1 - memory**2), (rows, days + 60))
    return lfilter([1], [1, -memory], noise, axis=1)[:, 60:]


def redraw(
    rng: np.random.Generator, kind: np.ndarray, category: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """(rows, days) units that might have been wanted as well, weather and shocks of each row drawn anew.

    kind, category: (rows,) names; expected: (rows, days) as in `DemandTruth`
    """
    rows, days = expected.shape
    position = {one.name: k for k, one in enumerate(CATEGORIES)}
    slope = _slopes(np.array([position[name] for name in category]))[:, None]
    anomaly = _spells(rng, rows, days, *SPELL) + rng.normal(0, LOCAL, (rows, days))
    log = sum(_spells(rng, rows, days, *how) - how[0] ** 2 / 2 for how in SHOCKS.values())
    return _draw_counts(rng, kind, expected * _warmth(slope, anomaly) * np.exp(log))


def _draw_counts(rng: np.random.Generator, kind: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(series, days) whole units around `wanted`: negative binomial; intermittent items in small batches."""
    size = np.select([kind == "fast", kind == "medium"], [12.0, 5.0], 2.5)[:, None]
    rate = rng.gamma(size, wanted / size)
    batches = kind == "intermittent"
    rate[batches] = wanted[batches] / 2.0  # each of these customers takes two on average, at least one
    count = rng.poisson(rate)
    coming = count[batches]
    extra = np.zeros_like(coming)
    extra[coming > 0] = rng.negative_binomial(coming[coming > 0], 0.5)
    count[batches] = coming + extra
    return count
