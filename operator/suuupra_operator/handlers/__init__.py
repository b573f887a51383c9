"""kopf handlers: they take in what the watch delivers and enqueue. Nothing else happens in them."""
