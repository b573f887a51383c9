"""What the gateway does: apply configurations, and run Envoy from start to drained end."""
