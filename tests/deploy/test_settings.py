"""Every service takes the settings that it is given in the cluster: else its pods would end as they start."""

import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from florin.services import PROCESSES, module_of
from service_kit.settings import ServiceSettings

from .manifests import OVERLAYS, of_kind


def config(name: str, prefix: str) -> Mapping[str, str]:
    """The variables of the ConfigMap whose name begins so."""
    (found,) = (one for one in of_kind(name, "ConfigMap") if one["metadata"]["name"].startswith(prefix))
    data: Mapping[str, str] = found["data"]
    return data


@pytest.fixture(scope="module", params=OVERLAYS)
def handed_out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An overlay, and the secrets that deploy/k8s/secrets makes for it, a folder for each service."""
    name, folder = str(request.param), tmp_path_factory.mktemp("secrets")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLORIN_")}
    environment |= config(name, "florin-servers")
    environment["FLORIN_RUN_DIR"] = str(tmp_path_factory.mktemp("operator"))
    environment["FLORIN_API_ADDRESS"] = "http://{service}-api:8080"
    command = [sys.executable, "-m", "florin", "provision", "secrets", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return name, folder


@pytest.mark.parametrize("service", PROCESSES)
def test_every_service_takes_the_settings_that_it_is_given(
    handed_out: tuple[str, Path], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = handed_out
    for variable in [key for key in os.environ if key.startswith("FLORIN_")]:
        monkeypatch.delenv(variable)
    for variable, value in config(name, "florin-config").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("FLORIN_SECRETS_DIR", str(folder / service))
    module = importlib.import_module(f"{module_of(service)}.settings")
    (settings,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, ServiceSettings) and one.service == service
    )
    taken = settings.read()
    assert not taken.is_development
    # The servers' way is by TLS, or production's processes do not start.
    assert (taken.allow_plaintext is None) == (name == "production")
    assert "/florin" in taken.database_url.get_secret_value()
