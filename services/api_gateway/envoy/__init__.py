"""Envoy as a child process: started, told, asked and drained."""
