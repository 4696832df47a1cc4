"""What Airflow learns about the provider: connection forms, building blocks and configuration, as data.

Airflow calls :func:`get_provider_info` before its own configuration is initialised, so nothing of Airflow is imported
here. The forms of the UI are made from this data alone, without importing a hook (Airflow 3.3).
"""

from __future__ import annotations

from typing import Any

from incorta_provider import __version__

INTEGRATION = "Incorta"
OPTIONAL_TEXT = {"type": ["string", "null"]}
OPTIONAL_SWITCH = {"type": ["boolean", "null"], "default": True}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "incorta-provider",
        "name": INTEGRATION,
        "description": "Disaster recovery of Incorta: proven recovery points, and a cutover that a person approves.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.incorta.com",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks.analytics", "hooks.cmc", "hooks.incorta_node", "hooks.metadata", "hooks.zookeeper"),
        "operators": _modules(
            "operators.approval",
            "operators.cutover",
            "operators.drill",
            "operators.maintenance",
            "operators.replication",
            "operators.watch",
            "operators.window",
        ),
        "sensors": _modules(
            "sensors.cmc",
            "sensors.incorta_node",
            "sensors.incorta_service",
            "sensors.site_ready",
            "sensors.zookeeper",
        ),
        "notifications": ["incorta_provider.notifications.webhook.WebhookNotifier"],
        "extra-links": [
            "incorta_provider.operators.links.RecoveryPointLink",
            "incorta_provider.operators.links.CutoverReportLink",
        ],
        "connection-types": [_node(), _cmc(), _analytics(), _zookeeper()],
        "config": {
            "incorta_dr": {
                "description": "Disaster recovery of Incorta.",
                "options": {
                    "topology": {
                        "description": "Path of the topology file: protection groups, their sites and their rules.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/etc/incorta/incorta_dr.yaml",
                        "default": "",
                    }
                },
            }
        },
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": INTEGRATION, "python-modules": [f"incorta_provider.{name}" for name in names]}]


def _node() -> dict[str, Any]:
    return {
        "connection-type": "incorta_node",
        "hook-class-name": "incorta_provider.hooks.incorta_node.IncortaNodeHook",
        "hook-name": "Incorta node",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {
                "port": "SSH port",
                "login": "SSH account",
                "password": "Passphrase of the key, or password",
            },
            "placeholders": {"host": "incorta-1.example.com", "port": "22", "login": "incorta"},
        },
        "conn-fields": {
            "home": _text("Incorta home", "Folder that holds IncortaNode/ and, where it is installed, cmc/."),
            "key_file": _text("Private key file", "Path at the Airflow worker."),
            "private_key": {
                "label": "Private key",
                "description": "Instead of a file: the key itself.",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            "known_hosts_file": _text(
                "Known hosts file", "Path at the Airflow worker; its keys are the only ones trusted."
            ),
            "host_key": _text(
                "Host key", "Instead of a known hosts file: type and base64, as ssh-keyscan prints them."
            ),
            "python": _text("Python for storage", "The node's Python, 3.11 or newer; python3 unless it is set."),
            "streams": {
                "label": "Connections for storage",
                "description": "Over how many connections files travel at the same time; 4 unless it is set.",
                "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 64, "default": 4},
            },
            "pull_key_file": _text("Key to pull with", "Path at this node, of a key that opens the source's node."),
            "agent_port": _number("Node agent port", 4500),
            "analytics_port": _number("Analytics port", 8080),
            "loader_port": _number("Loader port", 8081),
            "cmc_port": _number("CMC port", 6060),
            "spark_port": _number("Spark master port", 7077),
        },
    }


def _cmc() -> dict[str, Any]:
    return {
        "connection-type": "incorta_cmc",
        "hook-class-name": "incorta_provider.hooks.cmc.CmcHook",
        "hook-name": "Incorta CMC",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {},
            "placeholders": {"host": "incorta-1.example.com", "port": "6060", "login": "admin"},
        },
        "conn-fields": _web_fields(),
    }


def _analytics() -> dict[str, Any]:
    return {
        "connection-type": "incorta_analytics",
        "hook-class-name": "incorta_provider.hooks.analytics.AnalyticsHook",
        "hook-name": "Incorta Analytics",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {"schema": "Tenant"},
            "placeholders": {"host": "incorta-1.example.com", "port": "8080", "login": "admin"},
        },
        "conn-fields": {
            "token": {
                "label": "API token",
                "description": "Personal access token for the public API, where the login gives none.",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            **_web_fields(),
        },
    }


def _zookeeper() -> dict[str, Any]:
    return {
        "connection-type": "incorta_zookeeper",
        "hook-class-name": "incorta_provider.hooks.zookeeper.ZooKeeperHook",
        "hook-name": "Incorta ZooKeeper ensemble",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login", "password", "extra"],
            "relabeling": {"host": "Members"},
            "placeholders": {"host": "zk-1.example.com:2181,zk-2.example.com:2181,zk-3.example.com:2181"},
        },
    }


def _web_fields() -> dict[str, Any]:
    return {
        "scheme": {
            "label": "Scheme",
            "description": "http sends the password in clear text: only on a network of your own.",
            "schema": {"type": "string", "enum": ["https", "http"], "default": "https"},
        },
        "verify": {
            "label": "Check the certificate",
            "description": "Whether the server's certificate must be valid.",
            "schema": OPTIONAL_SWITCH,
        },
        "ca_file": _text("CA file", "Path at the Airflow worker, for a certificate of a CA of your own."),
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": OPTIONAL_TEXT}


def _number(label: str, default: int) -> dict[str, Any]:
    return {
        "label": label,
        "description": f"TCP port, {default} unless it was changed.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535, "default": default},
    }
