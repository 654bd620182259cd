"""Metrics for Prometheus: what the service does, and what it watches."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.store.store import Store


class Metrics:
    """Counters of one application; two applications in one process do not mix."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "forestock_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "forestock_request_seconds", "Time to answer.", ["route"], registry=self._registry
        )
        self._registry.register(_Watched(store))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request under its route's pattern, so that items do not multiply the series."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Watched(Collector):
    """What the store knows, read when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[Metric]:
        """Nothing: the store need not be reachable for the service to start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Gauges of the present; none while the store cannot answer."""
        if not self._store.ready().ready:
            return
        overview = self._store.overview()
        tiers = overview.distribution.groupby("tier")[["alerts", "money"]].sum()
        alerts = GaugeMetricFamily("forestock_alerts", "Unresolved alerts.", labels=["tier"])
        money = GaugeMetricFamily(
            "forestock_money_at_risk", "Money at risk of unresolved alerts.", labels=["tier"]
        )
        for tier, row in tiers.iterrows():
            alerts.add_metric([str(tier)], float(row["alerts"]))
            money.add_metric([str(tier)], float(row["money"]))
        yield alerts
        yield money
        yield GaugeMetricFamily("forestock_items", "Skus at locations watched.", value=overview.items)
        if overview.snapshot:
            age = overview.snapshot.created_at.timestamp()
            yield GaugeMetricFamily(
                "forestock_snapshot_timestamp_seconds", "When the last run was kept.", value=age
            )
