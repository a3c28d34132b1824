"""Every document of both overlays is what the API server would take: strictly, by Kubernetes' own schemas."""

from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from .manifests import OVERLAYS, Document, of_kind, overlay, title
from .resource_types import TYPES

# The oldest release that deploy/k8s is for, and the newest whose schemas are known here.
RELEASES = ("1.31", kubernetes_validate.latest_version())
BUILT_IN = ("v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", OVERLAYS)
def test_what_kubernetes_knows_is_strictly_valid(name: str, release: str) -> None:
    known = [one for one in overlay(name) if one["apiVersion"] in BUILT_IN]
    assert len(known) > 50
    for document in known:
        kubernetes_validate.validate(dict(document), release, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_operators_know_has_the_fields_that_we_mean_and_no_others(name: str) -> None:
    for document in overlay(name):
        if document["apiVersion"] in BUILT_IN:
            continue
        schema = TYPES[document["apiVersion"], document["kind"]]
        assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}, title(document)
        jsonschema.validate(document["spec"], schema)


def _misspelled(document: Document, path: str) -> dict[str, Any]:
    copy: dict[str, Any] = {**document, "spec": {**document["spec"], path: 1}}
    return copy


def test_a_misspelled_field_is_found() -> None:
    deployment = of_kind("dev", "Deployment")[0]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(_misspelled(deployment, "replica"), RELEASES[0], strict=True)
    scaled = of_kind("dev", "ScaledObject")[0]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            _misspelled(scaled, "minReplicas")["spec"], TYPES["keda.sh/v1alpha1", "ScaledObject"]
        )


def test_the_pooler_lets_through_what_the_drivers_do() -> None:
    from service_kit.database import PLANNING

    (pooler,) = of_kind("production", "Pooler")
    told = pooler["spec"]["pgbouncer"]
    ignored = set(told["parameters"]["ignore_startup_parameters"].split(","))
    assert told["poolMode"] == "transaction"
    assert set(PLANNING) <= ignored
    # asyncpg's own hundred, and SQLAlchemy's five hundred.
    assert int(told["parameters"]["max_prepared_statements"]) >= 600


def test_the_poolers_connections_fit_the_server() -> None:
    (pooler,), (cluster,) = of_kind("production", "Pooler"), of_kind("production", "Cluster")
    roles = 5
    most = (
        roles
        * pooler["spec"]["instances"]
        * int(pooler["spec"]["pgbouncer"]["parameters"]["default_pool_size"])
    )
    # Migrations, provisioning, the auditor, and the operator's own come past the pooler.
    assert most + 50 <= int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    pools = sum(one["spec"]["maxReplicas"] for one in of_kind("production", "HorizontalPodAutoscaler"))
    pools += sum(one["spec"]["maxReplicaCount"] for one in of_kind("production", "ScaledObject")) + 2
    (config,) = (
        one for one in of_kind("production", "ConfigMap") if "FLORIN_DATABASE_POOL_SIZE" in one["data"]
    )
    clients = pools * int(config["data"]["FLORIN_DATABASE_POOL_SIZE"])
    assert clients <= pooler["spec"]["instances"] * int(
        pooler["spec"]["pgbouncer"]["parameters"]["max_client_conn"]
    )
