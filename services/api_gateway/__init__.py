"""The gateway: Envoy as data plane, and the control plane that keeps its configuration equal to the cluster."""
