"""The model as MLflow loads it: this file is copied into each version and run there (models from code).

It owns what the model takes and the way in. What it answers from are the sealed native files beside it, so
that the version holds no pickle; what a frame means is in `frames`. It needs forestock installed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from forecasting import frames
from forecasting.cells import PAIR
from forecasting.models import load_model
from ingestion.errors import UsageProblem
from ingestion.periods import Period

EXAMPLE = pd.DataFrame(
    {
        "sku": "A1",
        "location": "north",
        "date": ["2024-03-01", "2024-03-02", "2024-03-03"],
        "quantity": [3.0, 5.0, float("nan")],  # the last row is the known future
        "promotion": [0.0, 0.0, 0.2],
    }
)


class ServedModel(PythonModel):  # type: ignore[misc]  # the library has no types
    """Answers `mlflow.pyfunc.load_model(…).predict(frame, params={"horizons": [7, 14]})`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the native files, which are refused where they were touched."""
        self.model = load_model(Path(context.artifacts["native"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Demand summed over the horizons; see `forecasting.frames.answer`."""
        told, asked = context.model_config, params or {}
        if asked.get("period", "") not in ("", told["period"]):
            raise UsageProblem(
                f"the model has learned {told['period']}s, got period {asked['period']!r}; "
                "leave it out, or load a model that was trained on that period"
            )
        reading = frames.Reading(
            Period(told["period"], told["weekday"]),
            asked.get("absent") or told["absent"],
            asked.get("country") or told["country"] or None,
            told["hidden"],
        )
        horizons, levels = asked.get("horizons", []), asked.get("levels", frames.LEVELS)
        return frames.answer(self.model, model_input, reading, horizons, levels, asked.get("as_of", ""))


def signature(covariates: Sequence[str], attributes: Sequence[str]) -> ModelSignature:
    """Columns of the frame, parameters and columns of the answer.

    covariates, attributes: names of the columns beyond the contract's own that were learned from

    Columns may hold anything as far as MLflow is concerned, and `frames` reads them: MLflow itself refuses
    whole numbers where decimals are declared, dates written as text, and skus that look like numbers.
    """
    known = (*frames.NUMBERS, *frames.OF_ITEM, *frames.OF_LOCATION, *covariates, *attributes)
    optional = [name for name in dict.fromkeys(known) if name not in frames.NEEDED]
    columns = [ColSpec(AnyType(), name) for name in frames.NEEDED]
    columns += [ColSpec(AnyType(), name, required=False) for name in optional]
    params = [ParamSpec(name, DataType.string, "") for name in ("as_of", "period", "absent", "country")]
    params.append(ParamSpec("horizons", DataType.long, [], shape=(-1,)))
    params.append(ParamSpec("levels", DataType.double, list(frames.LEVELS), shape=(-1,)))
    answer = [ColSpec(DataType.string, name) for name in PAIR]
    answer += [ColSpec(DataType.long, "horizon"), ColSpec(DataType.double, "mean")]
    answer += [ColSpec(DataType.double, f"q{level:g}") for level in frames.LEVELS]
    return ModelSignature(Schema(columns), Schema(answer), ParamSchema(params))


set_model(ServedModel())
