"""The services are described as the Compose specification wants it, and fit together."""

import importlib.resources
import json
import re
from itertools import chain
from typing import Any

import jsonschema
import pytest

from settings import Settings, variable_of
from stack.messagedb import PACKAGE
from stack.temporal import SEARCH_ATTRIBUTES
from tests.packaging.checkout import compose, interpolated, pyproject, text

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = ("message-db-schema", "worker", "scripted-model")
SET_UP_ONCE = ("temporal-schema", "temporal-namespace", "message-db-schema")


def test_it_is_valid_by_the_specification() -> None:
    """The file has no mistake that the specification's own schema can see."""
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(compose())


def test_it_would_notice_a_mistake() -> None:
    """The schema is one that refuses what Compose does not know."""
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    broken = compose()
    broken["services"]["worker"]["restarts"] = "always"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(schema)(schema).validate(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_everything_that_is_waited_for_exists(name: str) -> None:
    """A service waits for services of this file, in a way in which they can be ready."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert other in SET_UP_ONCE
        else:
            assert "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_or_ends(name: str) -> None:
    """What serves is restarted whatever happened; what sets up is tried again only while it fails."""
    restart = SERVICES[name]["restart"]
    assert restart.startswith("on-failure:") if name in SET_UP_ONCE else restart == "unless-stopped"


def test_our_services_are_built_from_this_checkout() -> None:
    """All of ours are one image, made from the Dockerfile beside the file."""
    assert set(OURS) == {name for name, service in SERVICES.items() if "build" in service}
    assert {(".", "perdure")} == {(SERVICES[name]["build"], SERVICES[name]["image"]) for name in OURS}
    assert text("Dockerfile")


def test_the_images_of_others_have_a_version() -> None:
    """Nothing is whatever was newest on the day."""
    others = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert [image for image in others if not re.fullmatch(r"[\w./-]+:\$\{\w+:-[\d.]+\}", image)] == []


def test_the_worker_is_told_only_what_settings_know() -> None:
    """A misspelt variable of the worker would be set in vain."""
    known = {variable_of(field) for field in Settings.model_fields} | {"OTEL_EXPORTER_OTLP_ENDPOINT"}
    assert SERVICES["worker"]["environment"].keys() <= known


def test_the_worker_is_told_all_that_concerns_it() -> None:
    """Every setting reaches the worker, but those that the image decides or that only a client has."""
    image = set(re.findall(r"(PERDURE_\w+)=", text("Dockerfile")))
    of_clients = {"PERDURE_TENANT", "PERDURE_PRINCIPAL"}
    inside_only = {name for name in map(variable_of, Settings.model_fields) if name.startswith("TEMPORAL_")}
    files = {
        "PERDURE_ALERTS",
        "PERDURE_BUDGETS",
        "PERDURE_MCP",
        "PERDURE_RATE_LIMITS",
        "PERDURE_WEBHOOKS",
        "PERDURE_SECRETS_DIR",
        "PERDURE_PRICES_FILE",
        "PERDURE_SYSTEM_PROMPT_FILE",
        "PERDURE_POLICIES",
        "PERDURE_POLICY",
    }
    settable = {variable_of(field) for field in Settings.model_fields} - image - of_clients - inside_only - files
    assert settable <= SERVICES["worker"]["environment"].keys()


def test_workers_get_the_time_they_were_promised() -> None:
    """A worker is not killed while it still lets its running calls finish."""
    promised = Settings.model_fields["graceful_shutdown_seconds"].default
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > promised
    assert f":-{promised}}}" in SERVICES["worker"]["environment"]["PERDURE_GRACEFUL_SHUTDOWN_SECONDS"]


def test_workers_can_be_many() -> None:
    """Nothing of a worker can exist only once: no fixed name, no port."""
    assert not {"container_name", "ports"} & SERVICES["worker"].keys()


def test_nothing_listens_to_the_outside() -> None:
    """Ports are open to this machine only."""
    ports = list(chain.from_iterable(service.get("ports", []) for service in SERVICES.values()))
    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_value_from_outside_has_a_default() -> None:
    """It starts with nothing set, and no secret can only be changed in the file."""
    assert re.findall(r"\$\{\w+\}", text("docker-compose.temporal.yml")) == []
    passwords = {name for name in interpolated() if name.endswith("PASSWORD")}
    assert passwords == {"TEMPORAL_DB_PASSWORD", "MESSAGE_DB_ADMIN_PASSWORD", "MESSAGE_STORE_PASSWORD"}


def test_volumes_are_declared() -> None:
    """Every named volume of a service is one of the file's, so that data outlive containers."""
    used = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {volume.partition(":")[0] for volume in used} == compose()["volumes"].keys()


def test_the_namespace_gets_all_search_attributes() -> None:
    """The services set up the same search attributes as the embedded server has."""
    script = SERVICES["temporal-namespace"]["command"][0]
    assert dict(re.findall(r"(Perdure\w+)=(\w+)", script)) == SEARCH_ATTRIBUTES


def test_the_image_brings_the_message_db_that_is_installed() -> None:
    """The package that the image holds is the one whose checksum is known."""
    assert f"ARG MESSAGE_DB_VERSION={PACKAGE.version}\n" in text("Dockerfile")
    assert f'"{PACKAGE.name}@${{MESSAGE_DB_VERSION}}"' in text("Dockerfile")


def test_the_image_takes_all_of_our_code() -> None:
    """Every package of the project is let into the image."""
    let_in = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    packages = {name.rstrip("*") for name in pyproject()["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= let_in
