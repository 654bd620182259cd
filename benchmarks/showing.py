"""The figures as tables, and each promise beside what was found.

It owns the limits: how far ahead of its peers ours must be, and how near its levels must lie.
"""

from typing import Any

import pandas as pd

OURS, PLAIN = "ours", "ours without promotions"
LIMITS = {"a, c": 0.85, "b": 0.95}
NEAR = {"all": 0.02, "low third": 0.04, "middle third": 0.04, "high third": 0.04}
JUDGED = ("pinball", "pinball 0.95", "pinball 0.99")
GAIN = 0.10  # on promotion days, over the same model told of none
Scores = dict[str, dict[str, Any]]


def table(methods: Scores, group: dict[str, str]) -> pd.DataFrame:
    """One row per method, best first within a group; e and v: series weighted equally and by volume."""
    rows = {}
    for name, found in methods.items():
        row = {"group": group[name]}
        for key, short in zip(JUDGED, ("pinball", ".95", ".99"), strict=True):
            row |= {f"{short} e": found[key]["equal"], f"{short} v": found[key]["volume"]}
        row |= {
            "miss": found["miss"]["all"],
            "miss third": max(value for part, value in found["miss"].items() if part != "all"),
            "miss many": max(found["miss of many"].values()),
            "bias": found["bias"],
            "rmsse e": found["rmsse"]["all days"]["equal"],
            "rmsse v": found["rmsse"]["all days"]["volume"],
            "promo e": found["rmsse"]["promotion days"]["equal"],
            "promo v": found["rmsse"]["promotion days"]["volume"],
            "partial e": found["shortfall where partly out of stock"]["equal"],
            "seconds": found["seconds"],
            "GiB": found["memory"],
        }
        rows[name] = row
    return pd.DataFrame(rows).T.sort_values(["group", "pinball e"])


def must_show(methods: Scores, group: dict[str, str]) -> list[dict[str, Any]]:
    """Each promise: what, found, against whom, limit, passed."""
    ours = methods[OURS]
    peers = {name: found for name, found in methods.items() if group[name] != OURS}
    rows = []
    for judges, limit in LIMITS.items():
        rivals = {name: found for name, found in peers.items() if group[name] in judges}
        for key in JUDGED if rivals else ():
            for weight in ("equal", "volume"):
                rows.append(_ratio(f"{key}, {weight}, against {judges}", ours, rivals, (key, weight), limit))
    if peers:
        for weight in ("equal", "volume"):
            best = min(peers, key=lambda name, weight=weight: _at(peers[name], ("pinball", weight)))
            rows.append(_worst_origin(ours, peers, weight))
            rows.append(_worst_origin(ours, {best: peers[best]}, weight))
        rows += [
            _ratio(f"RMSSE, all days, {weight}", ours, peers, ("rmsse", "all days", weight), 1.0)
            for weight in ("equal", "volume")
        ]
    rows += [_near(ours, peers, part, limit) for part, limit in NEAR.items()]
    if PLAIN in methods:
        path, plain = ("rmsse", "promotion days"), {PLAIN: methods[PLAIN]}
        rows += [
            _ratio(f"RMSSE, promotion days, {weight}", ours, plain, (*path, weight), 1 - GAIN)
            for weight in ("equal", "volume")
        ]
    return rows


def _at(found: dict[str, Any], path: tuple[str, ...]) -> float:
    value: Any = found
    for key in path:
        value = value[key]
    return float(value)


def _ratio(
    what: str, ours: dict[str, Any], rivals: Scores, path: tuple[str, ...], limit: float
) -> dict[str, Any]:
    best = min(rivals, key=lambda name: _at(rivals[name], path))
    ratio = _at(ours, path) / _at(rivals[best], path)
    return {"what": what, "found": ratio, "limit": limit, "against": best, "passed": ratio <= limit}


def _worst_origin(ours: dict[str, Any], peers: Scores, weight: str) -> dict[str, Any]:
    """The origin at which ours is nearest to, or furthest behind, the peer that was best there.

    Of one peer, such as the best over all origins: one that could have been chosen before.
    """
    ratios = []
    for k, own in enumerate(ours["origins"]):
        best = min(peers, key=lambda name: peers[name]["origins"][k][weight])
        ratios.append((own[weight] / peers[best]["origins"][k][weight], f"{best}, origin {k + 1}"))
    ratio, against = max(ratios)
    what = f"pinball, {weight}, worst of {len(ratios)} origins"
    what += ", one peer" if len(peers) == 1 else ""
    return {"what": what, "found": ratio, "limit": 1.0, "against": against, "passed": ratio <= 1.0}


def _near(ours: dict[str, Any], peers: Scores, part: str, limit: float) -> dict[str, Any]:
    """The largest miss of a level over horizons, or else whether every peer misses by more."""
    miss = ours["miss"][part]
    best = min(peers, key=lambda name: peers[name]["miss"][part], default="")
    cells = [row for row in ours["coverage"] if row["group"] == part and row["miss"] == miss]
    against = f"in {cells[0]['windows']} windows of {cells[0]['of']}" if cells else ""
    against += f"; {best} misses {peers[best]['miss'][part]:.3f}" if best else ""
    closer = bool(best) and miss < peers[best]["miss"][part]
    if closer and miss > limit:
        against += ", so only closer than every peer"
    return {
        "what": f"miss of a level, {part}",
        "found": miss,
        "limit": limit,
        "against": against,
        "passed": miss <= limit or closer,
    }


def worst_cells(found: dict[str, Any], count: int = 6) -> pd.DataFrame:
    """Where coverage is furthest off, above the median."""
    rows = pd.DataFrame(found["coverage"])
    return rows[rows["level"] > 0.5].nlargest(count, "miss")
