"""The recorded trainings of a workspace with their candidates, read back from MLflow."""

import pandas as pd

from forecasting.comparison import TEXTS
from forecasting.tracking.store import EXPERIMENT, exists, open_store


def runs(
    tracking_uri: str, as_of: pd.Timestamp | None = None, *, workspace: str = "", limit: int = 10
) -> pd.DataFrame:
    """One row per candidate of the last `limit` trainings with data up to `as_of`; none where none is kept.

    Columns: TEXTS and measures, as `comparison.compare` reads them.
    """
    rows: list[dict[str, object]] = []
    if exists(tracking_uri):
        client = open_store(tracking_uri)
        found = client.search_experiments(filter_string=f"name LIKE '{EXPERIMENT}%'")
        places = [experiment.experiment_id for experiment in found]
        asked = (
            f"tags.kind = 'training' AND tags.workspace = '{workspace}' AND attributes.status = 'FINISHED'"
        )
        last = as_of.date().isoformat() if as_of is not None else "9999"
        trainings = client.search_runs(places, asked, order_by=["attributes.start_time DESC"])
        for training in [run for run in trainings if run.data.tags["as_of"] <= last][:limit]:
            about = {
                "training": training.info.run_id,
                "started": pd.Timestamp(training.info.start_time, unit="ms"),
                "as_of": training.data.tags["as_of"],
                "gate": training.data.tags.get("gate", ""),
            }
            for run in client.search_runs(places, f"tags.mlflow.parentRunId = '{training.info.run_id}'"):
                tags = run.data.tags
                own = {"candidate": tags["candidate"], "champion": tags["champion"] == "True"}
                rows.append(about | own | run.data.metrics)
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(TEXTS))
