"""Mapping: a first forestock.toml for a folder of files nobody has described yet.

Guesses which table each file is and which column means what, from English and Chinese names; what it is not
sure of it leaves to the reader in a comment. What it writes can be loaded as it is.
"""

import json
import re
from pathlib import Path

import pandas as pd

from ingestion.contracts import TABLES
from ingestion.errors import DataError, Problem
from ingestion.fields import Contract
from ingestion.parsing import as_dates, is_missing, plain_name
from ingestion.readers import Chunk, read_file
from ingestion.sources import SUFFIXES, Source
from ingestion.synonyms import COLUMNS, TABLES_BY_FILE

FORMATS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d-%b-%Y", "%d-%b-%y", "%m/%d/%y", "%d/%m/%y")

# What can be said once for a whole file that lacks the column.
DEFAULTS = {"location": "all", "supplier": "unknown"}

HEADER = """# How the files of this folder become tables. Guessed from names: read it, correct it, keep it.
# Left of each = stands what a file calls a column, right of it what forestock calls it.

[workspace]
# period = "day"              # day, week or month; the spacing of dates tells"""


def propose(folder: Path) -> str:
    """A commented forestock.toml for the data files in a folder.

    Raises Problem where there is no folder, DataError where it holds no data file.
    """
    if not folder.is_dir():
        raise Problem(f"there is no folder {folder}; name the folder that holds the tables")
    files = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(SUFFIXES)]
    if not files:
        raise DataError(f"{folder} holds no CSV, Excel or Parquet file; put the exported tables there")
    names: set[str] = set()
    blocks = [_block(path, names) for path in files]
    if not any(line.startswith("[sources.") for block in blocks for line in block.splitlines()):
        blocks.append(
            "# No file could be mapped whole: complete one of the sources above and remove its # signs."
        )
    return "\n\n".join([HEADER, *blocks]) + "\n"


def _block(path: Path, taken: set[str]) -> str:
    """The part of the configuration about one file."""
    try:
        chunk = next(iter(read_file(path, path.name, Source(path.name, "demand", path=path.name))))
    except Problem as problem:
        return f"# {path.name} was passed over: {problem}"
    if chunk.raw.columns.empty:
        return f"# {path.name} was passed over: it has no columns"
    table, matches = _best_table(path, chunk)
    contract = TABLES[table]
    name = _source_name(path, taken)
    lines = [f"[sources.{name}]", f"table = {_quoted(table)}", f"path = {_quoted(path.name)}"]
    renamed = {said: target for target, said in matches.items() if said != target}
    if renamed:
        pairs = [f"{_quoted(said)} = {_quoted(target)}" for said, target in renamed.items()]
        lines.append(f"columns = {{ {', '.join(pairs)} }}")
    lines += _constants(contract, matches)
    lines += _repeats(contract, matches, chunk.raw)
    lines += _dates(contract, matches, chunk)
    if table == "demand":
        lines.append(
            'absent = "zero"               # what a day without a row means: zero, closed or missing'
        )
    rest = [str(column) for column in chunk.raw.columns if column not in matches.values()]
    if rest:
        lines.append(f"# not mapped: {', '.join(rest)}".replace("\n", " "))
    lacking = _lacking(contract, matches)
    if lacking:
        intro = f"# {path.name} looks most like {table}, but in it was not found: {', '.join(lacking)}"
        return "\n".join([intro, *(line if line.startswith("#") else f"# {line}" for line in lines)])
    return "\n".join(lines)


def _constants(contract: Contract, matches: dict[str, str]) -> list[str]:
    lacking = [c for c in contract.required if c not in matches and c in DEFAULTS]
    if not lacking:
        return []
    pairs = ", ".join(f"{column} = {_quoted(DEFAULTS[column])}" for column in lacking)
    return [f"constants = {{ {pairs} }}  # the file does not say"]


def _dates(contract: Contract, matches: dict[str, str], chunk: Chunk) -> list[str]:
    """date_format for date columns that are written in no plain way."""
    formats = {}
    for column in contract.dates:
        if column not in matches:
            continue
        raw = chunk.raw[matches[column]]
        present = raw[~is_missing(raw)]
        if present.empty or as_dates(present).notna().mean() > 0.5:
            continue
        share = {form: float(as_dates(present, [form]).notna().mean()) for form in FORMATS}
        best = max(share, key=lambda form: share[form])
        if share[best] > 0.5:
            doubt = sum(value == share[best] for value in share.values()) > 1
            formats[column] = (best, doubt)
    if not formats:
        return []
    pairs = ", ".join(f"{column} = {_quoted(form)}" for column, (form, _) in formats.items())
    unsure = "  # day or month first? both fit" if any(doubt for _, doubt in formats.values()) else ""
    return [f"date_format = {{ {pairs} }}{unsure}"]


def _repeats(contract: Contract, matches: dict[str, str], raw: pd.DataFrame) -> list[str]:
    """What tells repeated keys apart: another column of the file, or that the file repeats whole facts."""
    keys = [matches[key] for key in contract.keys if key in matches]
    if not contract.unique or "sku" not in matches or not raw.duplicated(keys).any():
        return []
    free = [column for column in raw.columns if column not in matches.values()]
    if contract.master:
        lines = ["distinct = true               # several rows for one key; identical ones count once"]
        if contract.extra == "text":
            facts = len(raw.drop_duplicates(keys))
            fixed = [c for c in free if len(raw.drop_duplicates([*keys, c])) == facts]
            lines.append(f"attributes = [{', '.join(_quoted(str(c)) for c in fixed)}]")
        return lines
    for column in free:
        if not raw.duplicated([*keys, column]).any():
            template = _quoted(f"{{{column}}}-{{{matches['sku']}}}")
            return [f"templates = {{ sku = {template} }}  # {matches['sku']} alone repeats"]
    return ["# several rows share their keys: the first of each is taken and the others are quarantined"]


def _best_table(path: Path, chunk: Chunk) -> tuple[str, dict[str, str]]:
    """The table that a file looks most like, and contract column → column of the file."""
    stem = plain_name(re.split(r"\.", path.name, maxsplit=1)[0])
    scores: dict[str, tuple[float, ...]] = {}
    found: dict[str, dict[str, str]] = {}
    for order, (table, contract) in enumerate(TABLES.items()):
        matches = found[table] = _match(contract, chunk.raw)
        lacking = len(_lacking(contract, matches))
        said = any(plain_name(word) in stem for word in TABLES_BY_FILE[table].split())
        told = sum(column in matches for column in contract.required) / len(contract.fields)
        scores[table] = (
            stem == plain_name(table),
            said,
            not lacking,
            len(matches) - 2 * lacking,
            told,
            -order,
        )
    best = max(scores, key=lambda table: scores[table])
    return best, found[best]


def _lacking(contract: Contract, matches: dict[str, str]) -> list[str]:
    lacking = [c for c in contract.required if c not in matches and c not in DEFAULTS]
    if contract.name == "plans" and not {"date", "start"} & set(matches):
        lacking.append("date")
    return lacking


def _match(contract: Contract, raw: pd.DataFrame) -> dict[str, str]:
    """Contract column → column of the file, each used once."""
    there = {plain_name(str(column)): str(column) for column in reversed(list(raw.columns))}
    matches: dict[str, str] = {}
    for field in contract.fields:
        for word in (field.name, *COLUMNS.get(field.name, "").split()):
            column = there.get(plain_name(word))
            if column is not None and column not in matches.values():
                matches[field.name] = column
                break
    return matches


def _source_name(path: Path, taken: set[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", re.split(r"\.", path.name, maxsplit=1)[0]).strip("_") or "source"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return name


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
