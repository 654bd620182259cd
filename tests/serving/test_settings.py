"""Settings: what overrules what, and messages that say where, what and how to mend."""

import re
import tomllib
from pathlib import Path

import pytest

from ingestion.contracts import TABLES
from ingestion.errors import Problem
from ingestion.loading import load
from ingestion.sources import read_sources, read_workspace
from ingestion.warehouse import Warehouse
from serving.settings import read_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITTEN = [
    *re.findall(r"```toml\n(.*?)```", (DOCS / "user-guide.md").read_text(encoding="utf-8"), re.DOTALL),
    *(path.read_text(encoding="utf-8") for path in sorted((DOCS / "examples").glob("*.toml"))),
]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "HORIZON", "LEVELS", "WORKSPACE", "DATABASE_URL", "WARNING", "PERIOD", "TABLES"):
        monkeypatch.delenv(f"FORESTOCK_{name}", raising=False)


def write(text: str, name: str = "forestock.toml") -> Path:
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def test_without_a_file_everything_has_a_default(tmp_path):
    settings = read_settings()
    assert settings.workspace == tmp_path / ".forestock"
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path / '.forestock' / 'store.db'}"
    assert settings.tracking_uri.endswith(".forestock/mlflow.db")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert "overstock" in [rule.name for rule in settings.rules]
    assert settings.ingestion == {"workspace": {}}


def test_file_then_environment_then_arguments(monkeypatch):
    config = write('[workspace]\nfolder = "a"\n[service]\nport = 1\n[forecast]\nhorizon = 10\nthreads = 1')
    monkeypatch.setenv("FORESTOCK_PORT", "2")
    monkeypatch.setenv("FORESTOCK_HORIZON", "20")
    settings = read_settings(config, horizon=30, threads=None)
    assert (settings.threads, settings.port, settings.horizon) == (1, 2, 30)
    assert settings.workspace.name == "a"
    # The databases follow the workspace wherever it was named.
    moved = read_settings(config, workspace=Path("b"))
    assert "/b/store.db" in moved.database_url.get_secret_value()


def test_forestock_toml_is_read_where_it_lies():
    write('[supply]\ntarget = 0.9\nlead_time_days = 7\n[mlflow]\ntracking_uri = "http://127.0.0.1:5000"')
    settings = read_settings()
    assert (settings.default_target, settings.default_lead_time_days) == (0.9, 7)
    assert settings.tracking_uri == "http://127.0.0.1:5000"


def test_levels_may_be_a_list_or_a_text(monkeypatch):
    config = write("[forecast]\nlevels = [0.9, 0.5]")
    assert read_settings(config).levels == (0.5, 0.9)
    monkeypatch.setenv("FORESTOCK_LEVELS", "0.95, 0.8")
    assert read_settings(config).levels == (0.8, 0.95)


def test_sources_and_tables_pass_through_with_variables_resolved(monkeypatch):
    monkeypatch.setenv("ERP_URL", "postgresql://u:hunter2@db/erp")
    config = write(
        """
        [workspace]
        period = "week"
        [sources.demand]
        url = "env:ERP_URL"
        columns = { menge = "quantity" }
        [[policies]]
        sku = "*"
        target = 0.9
        """
    )
    settings = read_settings(config)
    assert settings.ingestion == {
        "workspace": {"period": "week"},
        "sources": {
            "demand": {"url": "postgresql://u:hunter2@db/erp", "columns": {"menge": "quantity"}},
        },
        "policies": [{"sku": "*", "target": 0.9}],
    }
    assert "hunter2" not in repr(settings)


def test_secrets_do_not_show():
    config = write('[service]\ndatabase_url = "postgresql://u:hunter2@db/f"')
    settings = read_settings(config)
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_rules_are_changed_by_the_file_and_by_the_environment(monkeypatch):
    config = write('[warning]\npreset = "literal"\n[[rules]]\nname = "overstock"\ntiers = { notice = 0.5 }')
    rules = {rule.name: rule for rule in read_settings(config).rules}
    assert (rules["overstock"].tiers, rules["overstock"].basis) == ({"notice": 0.5}, "safety_stock")
    monkeypatch.setenv("FORESTOCK_RULE_CHANGES", '[{"name": "overstock", "enabled": false}]')
    assert "overstock" not in [rule.name for rule in read_settings(config).rules]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[service]\nport = 99999", ["bad.toml [service] port", "99999", "a port from 1 to 65535"]),
        ("[service]\nprot = 1", ["[service]", "'prot'", "did you mean port?"]),
        ("[servise]\nport = 1", ["'servise'", "did you mean service?"]),
        ("port = 1", ["'port'", "move it to [service]"]),
        ("[service]\nhorizon = 1", ["'horizon'", "move it to [forecast]"]),
        ("[supply]\ntarget = 95", ["[supply] target", "95", "write 95 % as 0.95"]),
        ("[forecast]\nlevels = [0.5, 1.0]", ["[forecast] levels", "[0.5, 1.0]", "in (0, 1)"]),
        ("[workspace]\nlanguage = 'de'", ["[workspace] language", "'de'", "en or zh"]),
        ("[workspace]\nfolder = 3", ["[workspace] folder", "3", "a folder"]),
        ("[service]\ndatabase_url = 12345678", ["[service] database_url", "an SQLAlchemy URL"]),
        ("service = 3", ["service must be a table", "3", "[service]"]),
        ("[sources]\ndemand = 3", ["sources.demand must be a table", "3"]),
        ("warning = 3", ["warning must be a table", "3"]),
        ("[warning]\npreset = 'strict'", ["[warning] preset", "'strict'", "default or literal"]),
        ("[[rules]]\nname = 'overstock'\ntiers = { red = 1 }", ["'overstock'", "red", "notice, warning"]),
        ("rules = 3", ["[[rules]]", "3", "a list of tables"]),
        ("[warning]\npilot = 'S1'", ["[warning] pilot", "'S1'", "columns and their values"]),
        ("[sources.demand]\nurl = 'env:NO_SUCH_NAME'", ["sources.demand.url", "env:NO_SUCH_NAME", "set"]),
        ("[service\nport = 1", ["bad.toml", "is not TOML", "line 1"]),
    ],
)
def test_a_bad_file_is_answered_with_file_key_value_and_remedy(text, words):
    with pytest.raises(Problem) as caught:
        read_settings(write(text, "bad.toml"))
    for word in words:
        assert word in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Problem, match=r"absent\.toml does not exist; run `forestock init DIR`"):
        read_settings(Path("absent.toml"))
    Path("latin.toml").write_bytes('# größe\n[service]\nhost = "a"'.encode("latin-1"))
    with pytest.raises(Problem, match="must be UTF-8, byte 4"):
        read_settings(Path("latin.toml"))
    with pytest.raises(Problem, match="cannot be read"):
        read_settings(tmp_path)


def test_a_bad_variable_or_argument_is_named(monkeypatch):
    monkeypatch.setenv("FORESTOCK_PORT", "many")
    with pytest.raises(Problem, match=r"FORESTOCK_PORT must be a port .* got 'many'"):
        read_settings()
    monkeypatch.setenv("FORESTOCK_PORT", "1")
    with pytest.raises(Problem, match=r"--horizon must be whole periods ahead.* got 0"):
        read_settings(horizon=0)
    monkeypatch.setenv("FORESTOCK_RULE_CHANGES", "{")
    with pytest.raises(Problem, match="write tables as JSON"):
        read_settings()


def test_tables_do_not_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FORESTOCK_TABLES", '{"sources": {"x": {}}}')
    assert read_settings().ingestion == {"workspace": {}}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_the_documents_show_is_accepted(text, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE", "sqlite:///store.db")
    monkeypatch.setenv("MODEL_KEY", "secret")
    monkeypatch.setenv("ERP_URL", "sqlite:///erp.db")
    monkeypatch.setenv("DINGTALK_URL", "https://oapi.dingtalk.com/robot/send?access_token=1")
    monkeypatch.setenv("DINGTALK_SECRET", "SEC1")
    monkeypatch.setenv("MAIL_URL", "mailto://user:password@example.org")
    monkeypatch.setenv("OA_SECRET", "whsec_" + "A" * 43 + "=")
    settings = read_settings(write(text))
    assert settings.rules
    read_workspace(settings.ingestion)
    assert bool(read_sources(settings.ingestion, tmp_path)) == bool(settings.tables)


def test_rows_that_the_user_guide_writes_are_taken(tmp_path):
    said = tomllib.loads(next(text for text in WRITTEN if "[[policies]]" in text))
    rows = {name: told for name, told in said.items() if name in TABLES}
    report = load(None, rows, Warehouse(tmp_path / "warehouse"))
    assert report.quarantined.empty, report.quarantined
    assert report.accepted == {name: len(told) for name, told in rows.items()}
