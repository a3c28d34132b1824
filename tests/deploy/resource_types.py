"""The resource types of operators, as far as deploy/k8s uses them.

The operators' own definitions are large and belong to them. What stands here is smaller and stricter: the
fields that our manifests may have, with their types, and no others. A misspelled or misplaced field is found;
whether an operator's release of the day takes a field, only that operator can tell (`kubectl apply
--dry-run=server`).
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
SIZE: Schema = {"type": "string", "pattern": "^[1-9][0-9]*(Mi|Gi|m)?$"}
RESOURCES: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        kind: {"type": "object", "additionalProperties": False, "properties": {"cpu": SIZE, "memory": SIZE}}
        for kind in ("requests", "limits")
    },
}


def fields(required: str = "", /, **known: Schema) -> Schema:
    """An object that has these fields and no others; `required` names some, with spaces between."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": known,
    }


def many(item: Schema) -> Schema:
    """A list with at least one item."""
    return {"type": "array", "minItems": 1, "items": item}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"enum": list(words)}


NAMED = fields("name", name=TEXT)
RELABELING = fields(
    sourceLabels=many(TEXT),
    targetLabel=TEXT,
    replacement=TEXT,
    regex=TEXT,
    action=one_of("replace", "labeldrop"),
)
ENDPOINT = fields(
    "port path",
    port=TEXT,
    path=TEXT,
    scheme=one_of("http", "https"),
    params={"type": "object", "additionalProperties": many(TEXT)},
    interval=TEXT,
    scrapeTimeout=TEXT,
    tlsConfig=fields(
        "ca serverName",
        ca=fields("secret", secret=fields("name key", name=TEXT, key=TEXT)),
        serverName=TEXT,
    ),
    relabelings=many(RELABELING),
)
RULE: Schema = {
    "oneOf": [
        fields("record expr", record=TEXT, expr=TEXT),
        fields(
            "alert expr labels annotations",
            alert=TEXT,
            expr=TEXT,
            labels=TEXTS,
            annotations=TEXTS,
            **{"for": TEXT},
        ),
    ]
}
SELECTOR = fields("matchLabels", matchLabels=TEXTS)
ANYTHING: Schema = {"type": "object"}

TYPES: Mapping[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): fields(
        "scaleTargetRef triggers",
        scaleTargetRef=fields("name", apiVersion=TEXT, kind=TEXT, name=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=fields("failureThreshold replicas", failureThreshold=COUNT, replicas=COUNT),
        advanced=fields(
            restoreToOriginalReplicaCount=TRUTH,
            horizontalPodAutoscalerConfig=fields("behavior", behavior=ANYTHING),
        ),
        triggers=many(
            fields(
                "type metadata",
                type=one_of("rabbitmq", "cpu"),
                metricType=one_of("AverageValue", "Utilization"),
                metadata=TEXTS,
                authenticationRef=NAMED,
            )
        ),
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): fields(
        "secretTargetRef",
        secretTargetRef=many(fields("parameter name key", parameter=TEXT, name=TEXT, key=TEXT)),
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): fields(
        "selector endpoints", selector=SELECTOR, endpoints=many(ENDPOINT)
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): fields(
        "selector podMetricsEndpoints", selector=SELECTOR, podMetricsEndpoints=many(ENDPOINT)
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): fields(
        "groups", groups=many(fields("name rules", name=TEXT, rules=many(RULE)))
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): fields(
        "instances storage",
        instances={"type": "integer", "minimum": 3},
        inheritedMetadata=fields(labels=TEXTS),
        enableSuperuserAccess=TRUTH,
        superuserSecret=NAMED,
        certificates=fields(serverAltDNSNames=many(TEXT)),
        postgresql=fields(
            parameters=TEXTS,
            synchronous=fields(
                "method number",
                method=one_of("any", "first"),
                number={"type": "integer", "minimum": 1},
                dataDurability=one_of("required", "preferred"),
            ),
        ),
        storage=fields("size", size=SIZE),
        walStorage=fields("size", size=SIZE),
        resources=RESOURCES,
        affinity=fields(
            enablePodAntiAffinity=TRUTH,
            podAntiAffinityType=one_of("required", "preferred"),
            topologyKey=TEXT,
        ),
    ),
    ("postgresql.cnpg.io/v1", "Pooler"): fields(
        "cluster type pgbouncer",
        cluster=NAMED,
        instances={"type": "integer", "minimum": 2},
        type=one_of("rw", "ro"),
        template=fields(
            metadata=fields(labels=TEXTS),
            spec=fields(containers=many(fields("name", name=one_of("pgbouncer"), resources=RESOURCES))),
        ),
        pgbouncer=fields("poolMode", poolMode=one_of("session", "transaction"), parameters=TEXTS),
    ),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): fields(
        "replicas",
        replicas={"enum": [3, 5, 7]},
        secretBackend=fields("externalSecret", externalSecret=NAMED),
        tls=fields("secretName", secretName=TEXT, disableNonTLSListeners=TRUTH),
        persistence=fields(storage=SIZE),
        resources=RESOURCES,
        rabbitmq=fields(additionalConfig=TEXT, additionalPlugins=many(TEXT)),
        affinity=ANYTHING,
    ),
    ("cert-manager.io/v1", "Certificate"): fields(
        "secretName issuerRef dnsNames",
        secretName=TEXT,
        issuerRef=fields("name", kind=one_of("Issuer", "ClusterIssuer"), name=TEXT),
        duration=TEXT,
        renewBefore=TEXT,
        dnsNames=many(TEXT),
    ),
}
