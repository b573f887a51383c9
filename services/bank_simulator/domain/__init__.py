"""What a bank decides, without doing it."""
