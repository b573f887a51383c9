"""What the switch does: load, decide, save, and tell, in one transaction each."""
