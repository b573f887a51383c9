"""Pure decisions of the gateway: which routes are served, and the Envoy configuration that serves them."""
