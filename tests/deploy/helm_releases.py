"""Releases of the chart for tests: names and values that Helm must accept, and values that it must refuse by name."""

from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent.parent.parent / "helm" / "bulkfax"


def release(values: dict[str, Any], name: str = "bulkfax") -> dict[str, Any]:
    """Return a release for ``helm_tools.py``."""
    return {"name": name, "namespace": "fax", "values": values}


def _file(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / f"values-{name}.yaml").read_text(encoding="utf-8"))
    return values


_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_SPREAD = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
_NGINX = {"enabled": True, "className": "nginx", "controller": "nginx", "tlsSecretName": "fax-tls"}
_RELABELING = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node", "action": "replace"}
_MONITOR = {
    "enabled": True,
    "interval": "30s",
    "scrapeTimeout": "20s",
    "labels": {"release": "prometheus"},
    "relabelings": [_RELABELING],
    "metricRelabelings": [{"regex": "python_.*", "sourceLabels": ["__name__"], "action": "drop"}],
}
_QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "sends_needed"}, "target": {"type": "AverageValue", "averageValue": "40"}},
}

#: addresses of the runbook and of Grafana
RUNBOOK, GRAFANA = "https://wiki.example.com/fax/runbook", "https://grafana.example.com/ops/"
#: by title: what Helm must render
ACCEPTED: dict[str, dict[str, Any]] = {
    "defaults": release({}),
    "demo": release(_file("demo")),
    "small": release(_file("small")),
    "large": release(_file("large")),
    "a name with a dot": release({"doctor": {"enabled": True}}, "fax.production"),
    "a long name": release({"doctor": {"enabled": True}, "dashboards": {"enabled": True}}, "m" * 53),
    "a name that begins with a digit": release({}, "2026-fax"),
    "a long chart name": release({"nameOverride": "n" * 63, "serviceAccount": {"create": True}}),
    "a chart name with a dot": release({"nameOverride": "fax.bulk"}),
    "full name": release({"fullnameOverride": "f" * 43, "doctor": {"enabled": True}, "emulator": {"enabled": True}}),
    "digest": release({"image": {"repository": "registry.example.com/bulkfax", "digest": f"sha256:{'0' * 64}"}}),
    "registry": release({"image": {"tag": "0.1.0-1"}, "imagePullSecrets": [{"name": "registry"}]}),
    "tls of Redis": release({"redis": {"tlsSecret": "redis-tls"}, "policy": "# all defaults\n"}),
    "policy": release({"policy": 'rest = "30 s"\n# a comment: with a colon, "quotes" and {{ braces }}\n'}),
    "settings": release(
        {
            "settings": {
                "publicUrl": "https://fax.example.com/base/",
                "ratePerSecond": 0.5,
                "ratePerMinute": 1000000,
                "ratePerDay": 1000000000,
                "maxInFlight": 10000,
                "connections": 1024,
                "auth": "basic",
                "baseUrl": "https://eu.fax.example.com",
                "authUrl": "https://auth.example.com/token",
                "defaultCountry": "NO",
                "documentsMaxBytes": 1000000000000,
                "webhookPrivateAddresses": True,
                "logFormat": "console",
            }
        }
    ),
    "everything extra": release(
        {
            "extraEnv": [
                {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "proxy"}}, {"prefix": "X_", "secretRef": {"name": "more"}}],
            "extraVolumes": [{"name": "files", "configMap": {"name": "my-files"}}],
            "extraVolumeMounts": [{"name": "files", "mountPath": "/etc/files", "readOnly": True}],
            "extraObjects": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "1"}},
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ include \"bulkfax.fullname\" . }}-text'}\n",
            ],
            "doctor": {"enabled": True},
            "emulator": {"enabled": True, "scenario": "messy"},
        }
    ),
    "scheduling of one component": release(
        {
            "nodeSelector": {"pool": "all"},
            "priorityClassName": "usual",
            "tolerations": [{"key": "all", "operator": "Exists"}],
            "worker": {
                "nodeSelector": {"pool": "fax"},
                "tolerations": [{"key": "fax", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
                "affinity": {
                    "podAntiAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
                        ]
                    }
                },
                "topologySpreadConstraints": [_SPREAD],
                "priorityClassName": "high",
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}},
                "podAnnotations": {"reloader.example.com/auto": "true"},
                "podLabels": {"team": "fax"},
                "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
                "resources": {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            },
        }
    ),
    "scheduling of all": release(
        {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}]
                    }
                }
            },
            "podLabels": {"cost-centre": "4711"},
            "podAnnotations": {"example.com/note": "a: b"},
        }
    ),
    "not spread": release({"topologySpread": False, "web": {"topologySpreadConstraints": [_SPREAD]}}),
    "hpa": release({"worker": {"autoscaling": {"kind": "hpa", "minReplicas": 1, "maxReplicas": 4}}}),
    "hpa with metrics": release({"worker": {"autoscaling": {"kind": "hpa", "metrics": [_QUEUE]}}}),
    "keda": release({"worker": {"autoscaling": {"kind": "keda", "prometheusUrl": "http://prometheus:9090"}}}),
    "callbacks through nginx": release(
        {
            "settings": {"publicUrl": "https://fax.example.com"},
            "callbacks": {
                "ingress": _NGINX | {"host": "fax.example.com", "allowFrom": ["192.0.2.0/24", "2001:db8::/32"]}
            },
            "api": {"ingress": _NGINX | {"host": "fax.example.com", "paths": ["/v1", "/docs"]}},
        }
    ),
    "paths that YAML reads otherwise": release(
        {
            "api": {
                "ingress": {
                    "enabled": True,
                    "host": "api.example.com",
                    "annotations": {"example.com/timeout": "60"},
                    "paths": ["/v1: x", "/#a", '/"'],
                },
                "route": {"enabled": True, "parentRefs": [{"name": "g"}], "paths": ["/v1: x"]},
            }
        }
    ),
    "routes": release(
        {
            "callbacks": {"route": {"enabled": True, "hostnames": ["fax.example.com"], "parentRefs": [{"name": "g"}]}},
            "api": {"route": {"enabled": True, "parentRefs": [{"name": "g", "namespace": "x", "sectionName": "s"}]}},
        }
    ),
    "load balancer": release({"service": {"type": "LoadBalancer", "port": 8443, "annotations": {"lb": "internal"}}}),
    "network policies": release({"networkPolicy": {"enabled": True}}),
    "network policies with egress": release(
        {
            "networkPolicy": {
                "enabled": True,
                "webFrom": [_PEER],
                "egress": {
                    "enabled": True,
                    "redis": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [6380]},
                    "webTo": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
                    "webPorts": [443, 8443],
                    "extra": [{"ports": [{"port": 3128}], "to": [_PEER]}],
                },
            },
            "emulator": {"enabled": True},
            "doctor": {"enabled": True},
        }
    ),
    "no budget": release({"podDisruptionBudget": {"enabled": False}, "scheduler": {"replicas": 0}}),
    "monitoring": release(
        {
            "serviceMonitor": _MONITOR,
            "podMonitor": _MONITOR,
            "prometheusRule": {"enabled": True, "labels": {"role": "alerts"}},
            "dashboards": {"enabled": True, "annotations": {"k8s-sidecar-target-directory": "/tmp/fax"}},
            "runbookUrl": RUNBOOK,
            "grafanaUrl": GRAFANA,
        }
    ),
    "doctor": release({"doctor": {"enabled": True, "provider": True, "schedule": "*/30 6-18 * * MON-FRI"}}),
    "service account": release({"serviceAccount": {"create": True, "annotations": {"example.com/role": "fax"}}}),
    "existing service account": release({"serviceAccount": {"name": "robot"}}),
}

#: by title: values that Helm must refuse, and the name that the refusal must contain
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt name": ({"setings": {}}, "setings"),
    "a misspelt name below": ({"worker": {"proceses": 2}}, "proceses"),
    "a component without that value": ({"web": {"autoscaling": {}}}, "autoscaling"),
    "no secret": ({"existingSecret": ""}, "existingSecret"),
    "no address of the runbook": ({"runbookUrl": "wiki"}, "runbookUrl"),
    "no address": ({"settings": {"publicUrl": "fax.example.com"}}, "publicUrl"),
    "a rate of nothing": ({"settings": {"ratePerSecond": 0}}, "ratePerSecond"),
    "a Redis that may lose anything": ({"settings": {"redisDurability": "never"}}, "redisDurability"),
    "a text for a number": ({"worker": {"threads": "24"}}, "threads"),
    "too short a time to end": ({"worker": {"terminationGracePeriodSeconds": 10}}, "terminationGracePeriodSeconds"),
    "a tag for a digest": ({"image": {"digest": "latest"}}, "digest"),
    "a digest in the tag": ({"image": {"tag": "1@sha256:00"}}, "tag"),
    "a full name with a dot": ({"fullnameOverride": "fax.bulk"}, "fullnameOverride"),
    "too long a full name": ({"fullnameOverride": "f" * 44}, "fullnameOverride"),
    "too long a name": ({"nameOverride": "n" * 64}, "nameOverride"),
    "an ingress without host": ({"callbacks": {"ingress": {"enabled": True}}}, "host"),
    "the former ingress": ({"ingress": {"enabled": True}}, "ingress"),
    "networks for an unknown controller": ({"callbacks": {"ingress": {"allowFrom": ["192.0.2.0/24"]}}}, "allowFrom"),
    "a name for a network": (
        {"callbacks": {"ingress": {"controller": "nginx", "allowFrom": ["sinch.example.com"]}}},
        "allowFrom",
    ),
    "metrics for everybody": ({"api": {"ingress": {"paths": ["/metrics"]}}}, "paths"),
    "a route without gateway": ({"callbacks": {"route": {"enabled": True}}}, "parentRefs"),
    "keda without Prometheus": ({"worker": {"autoscaling": {"kind": "keda"}}}, "prometheusUrl"),
    "an unknown autoscaler": ({"worker": {"autoscaling": {"kind": "vpa"}}}, "autoscaling"),
    "a label that selects": (
        {"podLabels": {"app.kubernetes.io/component": "web"}},
        "app.kubernetes.io/component",
    ),
    "a label that is none": ({"web": {"podLabels": {"team": "fax and mail"}}}, "podLabels"),
    "a variable with two values": ({"extraEnv": [{"name": "A", "value": "1", "valueFrom": {"x": {}}}]}, "extraEnv"),
    "a variable without name": ({"worker": {"extraEnv": [{"value": "1"}]}}, "extraEnv"),
    "a volume of the chart": ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes"),
    "a mount without path": ({"extraVolumeMounts": [{"name": "files"}]}, "extraVolumeMounts"),
    "half an object": ({"extraObjects": [{"kind": "ConfigMap"}]}, "extraObjects"),
    "a peer of nobody": ({"networkPolicy": {"webFrom": [{}]}}, "webFrom"),
    "an interval of nothing": ({"serviceMonitor": {"interval": "15"}}, "interval"),
    "an unknown relabeling": ({"podMonitor": {"relabelings": [{"target": "x"}]}}, "relabelings"),
    "no time": ({"doctor": {"schedule": "daily"}}, "schedule"),
    "a memory of words": ({"web": {"resources": {"requests": {"memory": "much"}}}}, "memory"),
    "a strategy of Helm": ({"web": {"strategy": {"type": "OnDelete"}}}, "strategy"),
    "an unknown scenario file": ({"emulator": {"scenario": "../secret.toml"}}, "scenario"),
}


def _misspelt(kind: str, api_version: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": {**spec, "wrongField": 1}}


#: objects of each kind that are right but for one field
MISSPELT = [
    _misspelt("Service", "v1", ports=[{"port": 80}]),
    _misspelt("NetworkPolicy", "networking.k8s.io/v1", podSelector={}),
    _misspelt("PodDisruptionBudget", "policy/v1"),
    _misspelt("HorizontalPodAutoscaler", "autoscaling/v2", maxReplicas=2, scaleTargetRef={"kind": "X", "name": "x"}),
    _misspelt("ServiceMonitor", "monitoring.coreos.com/v1", selector={}, endpoints=[{"port": "http"}]),
    _misspelt("PodMonitor", "monitoring.coreos.com/v1", selector={}, podMetricsEndpoints=[{"port": "http"}]),
    _misspelt("PrometheusRule", "monitoring.coreos.com/v1", groups=[]),
    _misspelt("ScaledObject", "keda.sh/v1alpha1", scaleTargetRef={"name": "x"}, triggers=[]),
    _misspelt("HTTPRoute", "gateway.networking.k8s.io/v1", parentRefs=[{"name": "g"}], rules=[]),
]
