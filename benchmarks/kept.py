"""Peers' fits kept on disk: they do not change while ours does.

It owns the key: data, origins, and the text of the code that fits.
"""

import ast
import hashlib
import inspect
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

import histories
from histories import Case

log = logging.getLogger(__name__)
Arrays = dict[str, np.ndarray]


def digest_of(case: Case, code: ModuleType) -> str:
    """Twelve letters that change with what peers are told, the origins and the code of the fits."""
    panel = case.panel
    found = hashlib.sha256(_meaning(inspect.getsource(code)))
    found.update(_meaning(inspect.getsource(histories.walked)))
    for part in (panel.quantity, panel.in_stock, panel.plan, panel.price, panel.calendar.holiday):
        found.update(np.where(np.isfinite(part), part, -1.0).tobytes())  # not every NaN has the same bits
    found.update(np.r_[case.horizons, case.origins].astype(np.int64).tobytes())
    return found.hexdigest()[:12]


def _meaning(source: str) -> bytes:
    """Source without comments, layout, docstrings and imports: they may be mended without fitting anew."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.dump(tree).encode()


def kept(
    case: Case, name: str, make: Callable[[Case], Arrays], code: ModuleType, folder: Path | None
) -> Arrays:
    """What `make` gives, from the file in `folder` where there is one; None keeps nothing."""
    if folder is None:
        return _quiet(case, make)
    file = folder / f"{case.name}-{name.replace(' ', '-')}-{digest_of(case, code)}.npz"
    if file.exists():
        with np.load(file) as found:
            return {key: found[key] for key in found.files}
    log.warning("%s: fitting %s", case.name, name)
    arrays = _quiet(case, make)
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, **arrays)
    part.rename(file)
    return arrays


def _quiet(case: Case, make: Callable[[Case], Arrays]) -> Arrays:
    """Peers' libraries warn about each other's versions, series by series."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(case)
