"""Following the cluster: list and watch of the API server with the pod's own account."""
