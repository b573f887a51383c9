"""Service NAME on port 8000, and the ServiceAccount the pods run as."""

from __future__ import annotations

from suuupra_operator.desired.subject import HTTP_PORT, Manifest, Subject


def service(subject: Subject) -> Manifest:
    """Cluster-internal address of the serving pods."""
    return subject.manifest("v1", "Service", subject.name, "serve") | {
        "spec": {
            "type": "ClusterIP",
            "selector": subject.selector("serve"),
            "ports": [
                {
                    "name": "http",
                    "port": HTTP_PORT,
                    "targetPort": "http",
                    "protocol": "TCP",
                    "appProtocol": "http",
                }
            ],
        }
    }


def service_account(subject: Subject) -> Manifest:
    """An account without rights; pods get its token only when the resource asks for it."""
    return subject.manifest("v1", "ServiceAccount", subject.name, "serve") | {
        "automountServiceAccountToken": False
    }
