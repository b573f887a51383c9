"""What should exist for a resource: pure functions from its spec to Kubernetes manifests, one file per kind of child."""
