"""What the switch remembers: plain statements, each row a frozen dataclass."""
