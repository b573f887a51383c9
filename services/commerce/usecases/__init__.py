"""Load, decide, save and append events: one transaction each."""
