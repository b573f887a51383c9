"""A bank's addresses; the gateway routes none of them."""
