"""What a bank does: load, decide, save, and tell, in one transaction each."""
