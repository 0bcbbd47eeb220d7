"""What can be set, where it is read from, and what is said of mistakes: all of them, at once.

The environment comes first, then `.env` in the current folder, then a TOML file (`--config FILE` or
`PERDURE_CONFIG`), then the defaults. A variable without a value counts as not set.
"""

import difflib
import getpass
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import psycopg
from dotenv import dotenv_values
from platformdirs import user_data_path
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from activities.tokens import SHORTEST_KEY
from tools.fetching.domains import Domains as FetchDomains
from tools.fetching.domains import InvalidDomain

CLAUDE = "claude-sonnet-5-5"
"""The model where a key is set and no model."""
SCRIPTED = "scripted-1"
"""The model of the embedded scripted server."""
CONFIG = "PERDURE_CONFIG"
"""Names the configuration file; the one variable that is no setting itself."""


class InvalidSettings(Exception):
    """Some settings are wrong; the message lists every one."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "One setting is" if len(self.mistakes) == 1 else f"{len(self.mistakes)} settings are"
        super().__init__(f"{count} wrong:\n" + "\n".join(f"  {mistake}" for mistake in self.mistakes))


def _expected(what: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "{what}", {"what": what})


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would follow links the user chose


def _file(path: Path) -> Path:
    path = _absolute(path)
    if not path.is_file():
        raise _expected("a file that exists")
    return path


def _folder(path: Path) -> Path:
    path = _absolute(path)
    if not path.is_dir():
        raise _expected("a folder that exists")
    return path


def _host_and_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
        raise _expected("host:port, as in localhost:7233")
    return address


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _expected("an http:// or https:// address")
    return url.rstrip("/")


def _database_url(url: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(url.get_secret_value())
    except psycopg.ProgrammingError:
        raise _expected("a PostgreSQL URL, as in postgresql://user:password@host:5432/message_store") from None
    return url


def _key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < SHORTEST_KEY:
        raise _expected(f"a key of {SHORTEST_KEY} characters or more, as `openssl rand -hex 32` makes one")
    return key


def _bucket_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise _expected("a bucket, as in s3://bucket/prefix")
    return url.rstrip("/")


def _names(given: object) -> object:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


def _domains(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return FetchDomains(given).patterns
    except InvalidDomain:
        raise _expected(
            "hosts separated by commas, each as in example.com, *.example.com, example.com:8443 or *"
        ) from None


def _lower(given: object) -> object:
    return given.strip().lower() if isinstance(given, str) else given


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "anonymous"


def _loops(given: object) -> object:
    if isinstance(given, str):
        given = () if given.strip().lower() == "off" else [part.strip() for part in given.split(",")]
    return given


def _in_order(given: tuple[int, ...]) -> tuple[int, ...]:
    counts = [count for count in given if count]
    if len(given) not in (0, 3) or counts != sorted(set(counts)) or any(count < 2 for count in counts):
        raise _expected("three rising numbers from 2 on, or 0 for never, as in 3,5,7; or off")
    return given


AnyPath = Annotated[Path, AfterValidator(_absolute)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
ExistingFolder = Annotated[Path, AfterValidator(_folder)]
Address = Annotated[str, AfterValidator(_host_and_port)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
BucketUrl = Annotated[str, AfterValidator(_bucket_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
Loops = Annotated[
    tuple[Annotated[int, Field(ge=0, le=1000)], ...], NoDecode, BeforeValidator(_loops), AfterValidator(_in_order)
]
Domains = Annotated[Names, AfterValidator(_domains)]


class Settings(BaseSettings):
    """All settings, valid together."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        case_sensitive=True,
        populate_by_name=True,
        env_file=".env",
        env_ignore_empty=True,
        dotenv_filtering="only_existing",
        hide_input_in_errors=True,
        validate_default=True,
    )

    home: AnyPath = Field(default_factory=lambda: user_data_path("perdure"), validation_alias="PERDURE_HOME")
    """Where the embedded system keeps its state."""

    temporal_address: Address | None = Field(default=None, validation_alias="TEMPORAL_ADDRESS")
    """The Temporal server, host:port. Not set: the embedded one."""
    temporal_namespace: str = Field(default="default", min_length=1, validation_alias="TEMPORAL_NAMESPACE")
    """Temporal's namespace."""
    temporal_api_key: SecretStr | None = Field(default=None, validation_alias="TEMPORAL_API_KEY")
    """Key for Temporal Cloud; TLS is used with it."""
    temporal_tls: bool = Field(default=False, validation_alias="TEMPORAL_TLS")
    """Whether to speak TLS with the Temporal server."""
    temporal_tls_client_cert: ExistingFile | None = Field(
        default=None, validation_alias="TEMPORAL_TLS_CLIENT_CERT_PATH"
    )
    """Client certificate for mutual TLS, a PEM file."""
    temporal_tls_client_key: ExistingFile | None = Field(default=None, validation_alias="TEMPORAL_TLS_CLIENT_KEY_PATH")
    """The client certificate's private key, a PEM file."""
    temporal_tls_server_ca: ExistingFile | None = Field(
        default=None, validation_alias="TEMPORAL_TLS_SERVER_CA_CERT_PATH"
    )
    """Certificate authority of the Temporal server where it is not a public one, a PEM file."""
    task_queue: str = Field(default="perdure", min_length=1, validation_alias="PERDURE_TASK_QUEUE")
    """Workers and clients with the same task queue find each other."""

    database_url: DatabaseUrl | None = Field(default=None, validation_alias="DATABASE_URL")
    """The database with Message DB in it. Not set: the embedded one."""
    database_pool_size: int = Field(default=10, ge=2, le=1000, validation_alias="PERDURE_DATABASE_POOL_SIZE")
    """Connections a process keeps at most."""
    artifacts: BucketUrl | None = Field(default=None, validation_alias="PERDURE_ARTIFACTS")
    """Where large content is kept: s3://bucket/prefix, with the standard AWS_* variables. Not set: in the database."""

    provider: Annotated[Literal["anthropic", "vertex", "bedrock"], BeforeValidator(_lower)] = Field(
        default="anthropic", validation_alias="PERDURE_PROVIDER"
    )
    """Who serves the model."""
    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    """Key for Claude. Without it, and without a base URL, the model is scripted."""
    anthropic_base_url: HttpUrl | None = Field(default=None, validation_alias="ANTHROPIC_BASE_URL")
    """Another server that speaks Anthropic's protocol."""
    vertex_project: str | None = Field(default=None, validation_alias="ANTHROPIC_VERTEX_PROJECT_ID")
    """Google Cloud project, with provider vertex."""
    vertex_region: str | None = Field(default=None, validation_alias="CLOUD_ML_REGION")
    """Google Cloud region, with provider vertex."""
    bedrock_region: str | None = Field(default=None, validation_alias="AWS_REGION")
    """AWS region, with provider bedrock."""
    scripted_model_url: HttpUrl | None = Field(default=None, validation_alias="PERDURE_SCRIPTED_MODEL_URL")
    """Where the scripted model is, should the model be scripted. Not set: the embedded one."""
    model: str | None = Field(default=None, min_length=1, validation_alias="PERDURE_MODEL")
    """The model's name as its provider spells it. Not set: a current Claude with a key, else the scripted model."""
    fallback_models: Names = Field(default=(), validation_alias="PERDURE_FALLBACK_MODELS")
    """Models of the same provider that are asked in turn while the one before cannot be, separated by commas."""
    max_tokens: int = Field(default=8192, ge=1, validation_alias="PERDURE_MAX_TOKENS")
    """How long one reply may be, thinking included."""
    thinking_tokens: int | None = Field(default=None, ge=1024, validation_alias="PERDURE_THINKING_TOKENS")
    """How many tokens of a reply may be thinking. Not set: what the model does by itself."""
    prices_file: ExistingFile | None = Field(default=None, validation_alias="PERDURE_PRICES_FILE")
    """Prices of models that Perdure does not know, or knows wrongly."""
    system_prompt_file: ExistingFile | None = Field(default=None, validation_alias="PERDURE_SYSTEM_PROMPT_FILE")
    """The system prompt of threads that are started without one."""

    workspace: ExistingFolder = Field(default_factory=Path.cwd, validation_alias="PERDURE_WORKSPACE")
    """The only folder that the file tools may touch."""
    plugins: Names = Field(default=(), validation_alias="PERDURE_PLUGINS")
    """Python modules with more tools, events, views, notifiers and subscribers, separated by commas."""
    fetch_domains: Domains = Field(default=(), validation_alias="PERDURE_FETCH_DOMAINS")
    """Hosts that http_fetch may fetch from: example.com, *.example.com, *, separated by commas. Not set: none."""
    secrets_dir: ExistingFolder | None = Field(default=None, validation_alias="PERDURE_SECRETS_DIR")
    """A folder with a file for each secret that tools may be given. Not set: only the environment has them."""
    approval_key: Annotated[SecretStr, AfterValidator(_key)] | None = Field(
        default=None, validation_alias="PERDURE_APPROVAL_KEY"
    )
    """Makes the tokens that some approvals want: 32 characters or more that nobody guesses. Not set: none are made."""
    mcp: ExistingFile | None = Field(default=None, validation_alias="PERDURE_MCP")
    """The MCP servers whose tools agents may use, a JSON or TOML file. Not set: there are none."""
    policies: ExistingFolder | None = Field(default=None, validation_alias="PERDURE_POLICIES")
    """The folder of named policies, a YAML file each. Not set: there are none."""
    policy: Names = Field(default=(), validation_alias="PERDURE_POLICY")
    """Policies that are in force for every thread, separated by commas; those a thread chooses lie above them."""
    rate_limits: ExistingFile | None = Field(default=None, validation_alias="PERDURE_RATE_LIMITS")
    """How many calls of models and tools in which time, and when circuits open: a YAML file. Not set: no limits."""
    loops: Loops = Field(default=(3, 5, 7), validation_alias="PERDURE_LOOPS")
    """After how many equal rounds of calls the model is told, a person asked, the thread ended; 0 is never. Or: off."""
    budgets: ExistingFile | None = Field(default=None, validation_alias="PERDURE_BUDGETS")
    """What tenants and principals may use in a day or a month, a YAML file. Not set: there are no such budgets."""
    tenant: str = Field(default="default", min_length=1, validation_alias="PERDURE_TENANT")
    """On whose behalf threads are started."""
    principal: str = Field(default_factory=_user, min_length=1, validation_alias="PERDURE_PRINCIPAL")
    """Who starts threads and answers approvals. Not set: the operating system's user."""

    max_concurrent_activities: int = Field(default=50, ge=1, validation_alias="PERDURE_MAX_CONCURRENT_ACTIVITIES")
    """Model and tool calls that a worker runs at the same time."""
    graceful_shutdown_seconds: float = Field(
        default=30, ge=0, allow_inf_nan=False, validation_alias="PERDURE_GRACEFUL_SHUTDOWN_SECONDS"
    )
    """How long a worker that is told to stop lets its running calls finish."""
    view_cache_mb: int = Field(default=256, ge=1, validation_alias="PERDURE_VIEW_CACHE_MB")
    """Memory in MiB for views of threads, so that a step reads only what is new."""
    snapshot_every: int = Field(default=50, ge=0, validation_alias="PERDURE_SNAPSHOT_EVERY")
    """Events after which a worker stores a snapshot of a view for others, at the earliest. 0: never."""
    webhooks: ExistingFile | None = Field(default=None, validation_alias="PERDURE_WEBHOOKS")
    """Who is told over HTTP when a question waits or money runs out, a YAML file. Not set: nobody is."""
    alerts: ExistingFile | None = Field(default=None, validation_alias="PERDURE_ALERTS")
    """Of how much use in a day or month it is to be told, a YAML file. Not set: of none."""
    consumers: bool = Field(default=True, validation_alias="PERDURE_CONSUMERS")
    """Whether a worker also follows the log for the ledger and for notices. One worker at a time does."""

    sandbox_cpu_seconds: float = Field(default=5, gt=0, le=3600, validation_alias="PERDURE_SANDBOX_CPU_SECONDS")
    """How long a program in the sandbox may compute."""
    sandbox_seconds: float = Field(default=20, gt=0, le=3600, validation_alias="PERDURE_SANDBOX_SECONDS")
    """How long it may take on the clock."""
    sandbox_memory_mb: int = Field(default=64, ge=1, le=65536, validation_alias="PERDURE_SANDBOX_MEMORY_MB")
    """Memory in MiB that its objects may take."""
    sandbox_output_kb: int = Field(default=40, ge=1, le=10240, validation_alias="PERDURE_SANDBOX_OUTPUT_KB")
    """What it may print, in KiB."""
    sandbox_folder_mb: int = Field(default=8, ge=1, le=1024, validation_alias="PERDURE_SANDBOX_FOLDER_MB")
    """What may be in its folder, in MiB."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", validation_alias="PERDURE_LOG_LEVEL"
    )
    """What is logged: this and worse."""
    log_format: Annotated[Literal["json", "console", "auto"], BeforeValidator(_lower)] = Field(
        default="auto", validation_alias="PERDURE_LOG_FORMAT"
    )
    """How: auto is console on a terminal and json elsewhere."""
    traces: Annotated[Literal["none", "otlp", "console"], BeforeValidator(_lower)] = Field(
        default="none", validation_alias="PERDURE_TRACES"
    )
    """Where OpenTelemetry spans go. With otlp, OTEL_EXPORTER_OTLP_ENDPOINT and its kin say where that is."""
    traces_sample_rate: float = Field(default=1.0, ge=0, le=1, validation_alias="PERDURE_TRACES_SAMPLE_RATE")
    """The share of threads that is traced."""
    capture_content: bool = Field(default=False, validation_alias="PERDURE_CAPTURE_CONTENT")
    """Whether spans show what was said: prompts, replies, arguments, results."""

    @field_validator("temporal_tls_client_key")
    @classmethod
    def _key_and_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("temporal_tls_client_cert", key)
        if (key is None) != (certificate is None):
            raise _expected("both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or neither")
        return key

    @field_validator("vertex_project", "vertex_region", "bedrock_region", "model")
    @classmethod
    def _needed_by_provider(cls, given: str | None, info: ValidationInfo) -> str | None:
        provider = info.data.get("provider", "anthropic")
        needed = str(info.field_name).startswith(provider) or (info.field_name == "model" and provider != "anthropic")
        if needed and given is None:
            raise _expected(f"a value, because PERDURE_PROVIDER is {provider}")
        return given

    @field_validator("thinking_tokens")
    @classmethod
    def _part_of_the_reply(cls, thinking: int | None, info: ValidationInfo) -> int | None:
        longest = info.data.get("max_tokens")
        if thinking is not None and longest is not None and thinking >= longest:
            raise _expected(f"fewer than PERDURE_MAX_TOKENS, {longest}")
        return thinking

    @classmethod
    def load(cls, config: Path | None = None) -> Self:
        """Read all sources. Raises `InvalidSettings`, which lists every mistake."""
        filed, mistakes = _read_config(config or _named_config())
        mistakes += _misspelt_variables()
        sources = (EnvSettingsSource(cls), DotEnvSettingsSource(cls), InitSettingsSource(cls, filed))
        try:
            settings = cls(_build_sources=(sources, {}))
        except ValidationError as error:
            mistakes += [_mistake(details) for details in error.errors(include_url=False)]
        if mistakes:
            raise InvalidSettings(mistakes)
        return settings

    @property
    def uses_scripted_model(self) -> bool:
        """Whether nothing is set by which a real model could be reached."""
        return self.provider == "anthropic" and self.anthropic_api_key is None and self.anthropic_base_url is None

    @property
    def embeds_model(self) -> bool:
        """Whether the model is scripted and not to be found anywhere else."""
        return self.uses_scripted_model and self.scripted_model_url is None

    @property
    def model_name(self) -> str:
        """The model to ask where a thread names none."""
        return self.model or (SCRIPTED if self.uses_scripted_model else CLAUDE)

    def redacted(self) -> dict[str, object]:
        """Every setting by its field's name, fit to be shown."""
        shown = self.model_dump(mode="json")
        if self.database_url is not None:
            shown["database_url"] = _without_password(self.database_url)
        return shown

    def secrets(self) -> frozenset[str]:
        """What must never be shown."""
        return frozenset(value.get_secret_value() for _, value in self if isinstance(value, SecretStr))


def variable_of(field: str) -> str:
    """The environment variable that sets a field."""
    return str(Settings.model_fields[field].validation_alias)


def environment() -> dict[str, str]:
    """The variables that are set, by the environment and, where that says nothing, by `.env`."""
    return {name: value for name, value in {**_dotenv(), **os.environ}.items() if value}


_FIELD_OF = {variable_of(field): field for field in Settings.model_fields}
_SECRET = {field for field, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)}
_IN_PLAIN_WORDS = {
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "string_too_short": "some text",
    "tuple_type": "names separated by commas",
}


def _named_config() -> Path | None:
    named = os.environ.get(CONFIG) or _dotenv().get(CONFIG)
    return Path(named) if named else None


def _dotenv() -> dict[str, str | None]:
    return dict(dotenv_values(".env", encoding="utf-8"))


def _read_config(file: Path | None) -> tuple[dict[str, Any], list[str]]:
    """The file's settings, and what is wrong with the file itself."""
    if file is None:
        return {}, []
    try:
        filed = tomllib.loads(file.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [f"{file}: cannot be read: {error.strerror}"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"{file}: is not a TOML file: {error}"]
    known = {key: value for key, value in filed.items() if key in Settings.model_fields}
    return known, [
        f"{file}: {key}: is not a setting{_near(key, Settings.model_fields)}" for key in filed.keys() - known
    ]


def _misspelt_variables() -> list[str]:
    """Variables of ours that set nothing, but nearly would."""
    named = {**_dotenv(), **os.environ}.keys()
    ours = sorted(name for name in named - _FIELD_OF.keys() - {CONFIG} if name.startswith("PERDURE_"))
    near = ((name, _near(name, _FIELD_OF, cutoff=0.88)) for name in ours)
    return [f"{name}: is not a setting{suggestion}" for name, suggestion in near if suggestion]


def _near(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    close = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=cutoff)
    return f"; did you mean {close[0].upper() if name.isupper() else close[0]}?" if close else ""


def _mistake(details: ErrorDetails) -> str:
    named = str(details["loc"][0])
    field = _FIELD_OF.get(named, named)
    expected = _IN_PLAIN_WORDS.get(details["type"]) or details["msg"].removeprefix("Input should be ")
    return f"{variable_of(field)} ({field}): {_given(field, details['input'])}; expected {expected}"


def _given(field: str, given: object) -> str:
    if given is None:
        return "is not set"
    return "is not shown, being secret" if field in _SECRET else f"is {str(given)!r}"


def _without_password(url: SecretStr) -> str:
    parts = conninfo_to_dict(url.get_secret_value())
    user = f"{parts['user']}@" if "user" in parts else ""
    port = f":{parts['port']}" if "port" in parts else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"
