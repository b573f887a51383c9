"""What a bank remembers: plain statements, each row a frozen dataclass."""
