"""A small living world for a machine of one's own: people, a shop, orders in every state, made over the public API."""
