"""Settings: where they come from, and what is said of mistakes."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from settings import CLAUDE, SCRIPTED, InvalidSettings, Settings, variable_of
from tests.docs.settings_table import explained

KEY = "sk-ant-api03-not-a-real-key"


def _mistakes(config: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as raised:
        Settings.load(config)
    return raised.value.mistakes


def test_nothing_need_be_set(folder: Path) -> None:
    """With nothing set, everything is embedded and the model is scripted."""
    settings = Settings.load()
    assert settings.temporal_address is None
    assert settings.database_url is None
    assert settings.uses_scripted_model
    assert settings.model_name == SCRIPTED
    assert settings.workspace == folder


def test_sources_have_an_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over .env, .env over the file, the file over the default."""
    (folder / "perdure.toml").write_text('tenant = "file"\ntask_queue = "file"\nmodel = "file"\n')
    (folder / ".env").write_text("PERDURE_TENANT=dotenv\nPERDURE_TASK_QUEUE=dotenv\n")
    monkeypatch.setenv("PERDURE_TENANT", "environment")
    settings = Settings.load(Path("perdure.toml"))
    told = (settings.tenant, settings.task_queue, settings.model, settings.temporal_namespace)
    assert told == ("environment", "dotenv", "file", "default")


@pytest.mark.parametrize("source", ["environment", ".env"])
def test_a_variable_can_name_the_file(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PERDURE_CONFIG is read where --config does not say which file."""
    (folder / "perdure.toml").write_text('tenant = "file"\n')
    if source == ".env":
        (folder / ".env").write_text("PERDURE_CONFIG=perdure.toml\n")
    else:
        monkeypatch.setenv("PERDURE_CONFIG", "perdure.toml")
    assert Settings.load().tenant == "file"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without a value leaves the default, as when Compose passes on what nobody set."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    monkeypatch.setenv("PERDURE_MAX_TOKENS", "")
    assert Settings.load().uses_scripted_model
    assert Settings.load().max_tokens == 8192


def test_env_files_may_hold_other_things(folder: Path) -> None:
    """Variables of other programs in .env are none of our business."""
    (folder / ".env").write_text("POSTGRES_USER=x\nTEMPORAL_UI_PORT=8233\n")
    assert Settings.load().tenant == "default"


@pytest.mark.parametrize(
    ("variable", "given", "field", "read"),
    [
        ("PERDURE_PLUGINS", "one, two.tools ,", "plugins", ("one", "two.tools")),
        ("PERDURE_PROVIDER", "Anthropic", "provider", "anthropic"),
        ("PERDURE_LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("PERDURE_LOOPS", "2, 0, 9", "loops", (2, 0, 9)),
        ("PERDURE_LOOPS", " Off", "loops", ()),
        ("PERDURE_FALLBACK_MODELS", "claude-1, claude-2", "fallback_models", ("claude-1", "claude-2")),
        ("PERDURE_CAPTURE_CONTENT", "yes", "capture_content", True),
        ("ANTHROPIC_BASE_URL", "http://localhost:1/", "anthropic_base_url", "http://localhost:1"),
        ("TEMPORAL_ADDRESS", "[::1]:7233", "temporal_address", "[::1]:7233"),
        ("PERDURE_ARTIFACTS", "s3://bucket/a/prefix/", "artifacts", "s3://bucket/a/prefix"),
        ("PERDURE_HOME", "~/x", "home", Path.home() / "x"),
        ("PERDURE_HOME", "x/../y", "home", Path("y")),
    ],
)
def test_values_are_read_as_people_write_them(
    variable: str, given: str, field: str, read: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists by commas, words in any case, paths from the home folder or here."""
    monkeypatch.setenv(variable, given)
    expected = folder / read if isinstance(read, Path) else read
    assert getattr(Settings.load(), field) == expected


def test_the_file_has_toml_types(folder: Path) -> None:
    """In the file, numbers are numbers and lists are lists."""
    file = folder / "perdure.toml"
    file.write_text('max_tokens = 100\nplugins = ["a", "b"]\ntemporal_tls = true\n')
    settings = Settings.load(file)
    assert (settings.max_tokens, settings.plugins, settings.temporal_tls) == (100, ("a", "b"), True)


def test_every_mistake_is_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run is enough to learn all that is wrong, wherever it stands and however it depends on other settings."""
    (folder / "perdure.toml").write_text("max_token = 1\nmax_concurrent_activities = 0\n")
    (folder / ".env").write_text("PERDURE_TRACES=jaeger\n")
    monkeypatch.setenv("PERDURE_CONFIG", "perdure.toml")
    monkeypatch.setenv("PERDURE_MAX_TOKENS", "many")
    monkeypatch.setenv("PERDURE_PROVIDER", "bedrock")
    told = _mistakes()
    expected = [
        "perdure.toml: max_token: is not a setting; did you mean max_tokens?",
        "AWS_REGION (bedrock_region): is not set; expected a value, because PERDURE_PROVIDER is bedrock",
        "PERDURE_MODEL (model): is not set; expected a value, because PERDURE_PROVIDER is bedrock",
        "PERDURE_MAX_TOKENS (max_tokens): is 'many'; expected a whole number",
        "PERDURE_MAX_CONCURRENT_ACTIVITIES (max_concurrent_activities): is '0'; expected greater than or equal to 1",
        "PERDURE_TRACES (traces): is 'jaeger'; expected 'none', 'otlp' or 'console'",
    ]
    assert list(told) == expected


@pytest.mark.parametrize(
    ("variable", "given", "expected"),
    [
        ("TEMPORAL_ADDRESS", "localhost", "host:port, as in localhost:7233"),
        ("TEMPORAL_ADDRESS", "http://localhost:7233", "host:port, as in localhost:7233"),
        ("TEMPORAL_ADDRESS", "localhost:70000", "host:port, as in localhost:7233"),
        ("TEMPORAL_TLS", "perhaps", "true or false"),
        ("PERDURE_LOOPS", "3,5", "three rising numbers from 2 on, or 0 for never, as in 3,5,7; or off"),
        ("PERDURE_LOOPS", "7,5,3", "three rising numbers from 2 on, or 0 for never, as in 3,5,7; or off"),
        ("PERDURE_LOOPS", "1,2,3", "three rising numbers from 2 on, or 0 for never, as in 3,5,7; or off"),
        ("PERDURE_LOOPS", "3,5,5", "three rising numbers from 2 on, or 0 for never, as in 3,5,7; or off"),
        ("PERDURE_RATE_LIMITS", "nowhere.yaml", "a file that exists"),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "nowhere.pem", "a file that exists"),
        ("ANTHROPIC_BASE_URL", "localhost:8080", "an http:// or https:// address"),
        ("PERDURE_SYSTEM_PROMPT_FILE", "nowhere.md", "a file that exists"),
        ("PERDURE_WORKSPACE", "nowhere", "a folder that exists"),
        ("PERDURE_TRACES_SAMPLE_RATE", "2", "less than or equal to 1"),
        ("PERDURE_GRACEFUL_SHUTDOWN_SECONDS", "inf", "a finite number"),
        ("PERDURE_THINKING_TOKENS", "9000", "fewer than PERDURE_MAX_TOKENS, 8192"),
        ("PERDURE_DATABASE_POOL_SIZE", "1", "greater than or equal to 2"),
    ],
)
def test_a_mistake_says_what_is_expected(
    variable: str, given: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake names the variable, what it was given, and what it takes."""
    monkeypatch.setenv(variable, given)
    (told,) = _mistakes()
    assert told.startswith(f"{variable} (")
    assert f"is {given!r}; expected {expected}" in told


def test_certificate_and_key_go_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without the other is a mistake."""
    (folder / "cert.pem").touch()
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "cert.pem")
    (told,) = _mistakes()
    assert "both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or neither" in told


def test_a_misspelt_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nearly names a setting of ours is a mistake, and what does not is somebody else's."""
    monkeypatch.setenv("PERDURE_MODLE", "x")
    monkeypatch.setenv("PERDURE_SOMETHING_ELSE", "x")
    monkeypatch.setenv("PERDURE_CACHE", "x")
    assert _mistakes() == ("PERDURE_MODLE: is not a setting; did you mean PERDURE_MODEL?",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), ("tenant = ", "is not a TOML file"), ("[server]\nport = 1\n", "server")],
)
def test_a_wrong_file_is_a_mistake(content: str | None, problem: str, folder: Path) -> None:
    """A file that is missing, broken or about something else is told by its name."""
    file = folder / "perdure.toml"
    if content is not None:
        file.write_text(content)
    (told,) = _mistakes(file)
    assert told.startswith(f"{file}: ")
    assert problem in told


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way of printing settings prints a key or a password."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("TEMPORAL_API_KEY", "temporal-cloud-key")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ana:geheim@db:5433/store?sslmode=require")
    settings = Settings.load()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.redacted()}"
    assert [secret for secret in (KEY, "temporal-cloud-key", "geheim") if secret in shown] == []
    assert settings.redacted()["database_url"] == "postgresql://ana@db:5433/store"
    assert {KEY, "temporal-cloud-key"} < settings.secrets()


def test_secrets_are_not_shown_in_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is wrong is not repeated, nor does the traceback know it."""
    monkeypatch.setenv("DATABASE_URL", "postgres//ana:geheim@db")
    with pytest.raises(InvalidSettings) as raised:
        Settings.load()
    assert "DATABASE_URL (database_url): is not shown, being secret; expected a PostgreSQL URL" in str(raised.value)
    assert "geheim" not in str(raised.value)
    assert raised.value.__context__ is None


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read stays as it is."""
    settings = Settings.load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.tenant = "other"  # type: ignore[misc]
    monkeypatch.setenv("PERDURE_TENANT", "other")
    assert settings.tenant == "default"


@pytest.mark.parametrize(
    ("variables", "scripted", "model"),
    [
        ({}, True, SCRIPTED),
        ({"ANTHROPIC_API_KEY": KEY}, False, CLAUDE),
        ({"ANTHROPIC_BASE_URL": "http://localhost:1"}, False, CLAUDE),
        ({"PERDURE_MODEL": "scripted-2"}, True, "scripted-2"),
        ({"PERDURE_PROVIDER": "bedrock", "AWS_REGION": "x", "PERDURE_MODEL": "y"}, False, "y"),
    ],
)
def test_the_model_is_scripted_unless_one_can_be_reached(
    variables: dict[str, str], scripted: bool, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key, a base URL or another provider makes the model real."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert (settings.uses_scripted_model, settings.model_name) == (scripted, model)


def test_a_scripted_model_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted model with an address need not be embedded, and remains what is asked without a key."""
    assert Settings.load().embeds_model
    monkeypatch.setenv("PERDURE_SCRIPTED_MODEL_URL", "http://scripted-model:8099")
    settings = Settings.load()
    assert (settings.embeds_model, settings.uses_scripted_model, settings.model_name) == (False, True, SCRIPTED)


def test_every_setting_is_explained() -> None:
    """Each field has its own variable and a sentence about it."""
    fields = Settings.model_fields
    assert len({variable_of(field) for field in fields}) == len(fields)
    meanings = explained()
    assert [name for name in fields if not meanings.get(name, "").endswith((".", "so."))] == []


def test_a_user_without_a_name_is_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose user has no entry anywhere, the principal is anonymous."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert Settings.load().principal == "anonymous"
