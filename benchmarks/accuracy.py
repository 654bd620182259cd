"""Accuracy of cumulative demand against what a data scientist would use, on real histories, in one run.

    python benchmarks/accuracy.py --data ../shared/data [--sets pasta,freshretail,vn2] [--peers a,b,c]
                                  [--cache DIR] [--fresh] [--every] [--json out.json]

Ours is trained at the first origin and once more halfway, in a process of its own, and predicts every origin
from the panel as it was then; with --every it is trained at every origin. Each peer is fitted anew at every
origin from the same panel. Peers:

(a) statsforecast with normal √h and with its conformal intervals, and the best of them per series;
(b) mlforecast with LightGBM (`peers_mlforecast.py` says how to install it);
(c) a negative binomial on the series' own past cumulative errors.

Their fits are kept in `--cache`, since they do not change while ours does; `--fresh` fits all of them, so
that seconds compare.

From a script, with benchmarks/ on PYTHONPATH: `accuracy.compare(CASES["pasta"](data), said, cache)`.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import intervals
import peers
import peers_mlforecast
from forecasting.cumulative import LEVELS
from forecasting.training import train
from histories import CASES, Case, without_promotions
from kept import kept
from scoring import LEVEL, Said, scores
from showing import OURS, PLAIN, must_show, table, worst_cells


def ours(case: Case, threads: int = 1, *, every: bool = False) -> Said:
    """The champion: trained at the first origin and again halfway, or at `every` one, as at the origin."""
    rows = len(case.folds.series)
    mean = np.empty((rows, case.ahead))
    quantiles = np.empty((rows, len(case.horizons), len(LEVEL)))
    halfway, report, begun = case.origins[len(case.origins) // 2], None, time.perf_counter()
    for origin in case.origins:
        panel = case.panel.until(int(origin))
        if every or report is None or origin == halfway:
            held = None if report is None else report.champion
            report = train(panel, case.ahead, threads=threads, incumbent=held)
        demand = report.model.predict(panel, case.ahead)
        at = np.flatnonzero(case.folds.origin == origin)
        mean[at] = np.diff(demand.mean, axis=1, prepend=0.0)
        quantiles[at] = demand.quantiles[:, case.horizons - 1][:, :, np.searchsorted(LEVELS, LEVEL)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Said(mean, quantiles, time.perf_counter() - begun, peak)


def apart(case: Case, threads: int = 1, *, every: bool = False) -> Said:
    """Ours in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(ours, case, threads, every=every).result()


def said_by_peers(case: Case, cache: Path | None, groups: str = "abc") -> dict[str, tuple[str, Said]]:
    """Method → its group and what it said; fits are taken from `cache` where they are kept there."""
    found: dict[str, tuple[str, Said]] = {}
    if "c" in groups:
        name = "negative binomial"
        fitted = kept(case, name, peers.FITS[name], peers, cache)
        seconds = float(fitted["seconds"].sum())
        found[name] = "c", Said(fitted["mean"][:, 0], fitted["quantiles"], seconds)
    if "a" in groups:
        fits = {name: kept(case, name, peers.FITS[name], peers, cache) for name in peers.KINDS}
        found |= {name: ("a", said) for name, said in intervals.classics(case, fits).items()}
    if "b" in groups:
        fitted = kept(case, "LightGBM", peers_mlforecast.fit, peers_mlforecast, cache)
        found |= {name: ("b", said) for name, said in intervals.learned(case, fitted).items()}
    return found


def compare(
    case: Case, ours_said: Said, cache: Path | None = None, groups: str = "abc", plain: Said | None = None
) -> dict[str, Any]:
    """Scores of ours and of the peers, and what must be shown.

    plain: what ours said when told of no promotion
    Gives set, methods: name → `scoring.scores`, group: name → ours or a, b, c, show: `showing.must_show`.
    """
    said = {OURS: (OURS, ours_said)}
    if plain is not None:
        said[PLAIN] = OURS, plain
    said |= said_by_peers(case, cache, groups)
    methods = {name: scores(case, part) for name, (_, part) in said.items()}
    group = {name: where for name, (where, _) in said.items()}
    return {"set": case.name, "methods": methods, "group": group, "show": must_show(methods, group)}


def show(found: dict[str, Any]) -> None:
    """Print one data set's tables."""
    print(f"\n== {found['set']}")
    print(table(found["methods"], found["group"]).to_string(float_format=lambda x: f"{x:.3f}"))
    print("\nwhere ours misses its levels most")
    print(worst_cells(found["methods"][OURS]).round(3).to_string(index=False))
    print("\nmust show")
    for row in found["show"]:
        word = "pass" if row["passed"] else "FAIL"
        print(f"  {word}  {row['what']:45} {row['found']:6.3f}  limit {row['limit']:.2f}  {row['against']}")


def main() -> None:
    """Reads the arguments, prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(CASES))
    parser.add_argument("--peers", default="a,b,c", help="groups to compare with")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "forestock-peers")
    parser.add_argument("--fresh", action="store_true", help="fit every peer in this run")
    parser.add_argument("--every", action="store_true", help="train ours at every origin")
    parser.add_argument("--threads", type=int, default=1, help="of ours; peers use one")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    everything = []
    for name in given.sets.split(","):
        case = CASES[name](given.data)
        said = apart(case, given.threads, every=given.every)
        plain = apart(without_promotions(case), given.threads, every=given.every) if case.promotes else None
        cache = None if given.fresh else given.cache
        everything.append(compare(case, said, cache, given.peers, plain))
        show(everything[-1])
    if given.json:
        given.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
