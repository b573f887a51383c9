"""What the switch decides, without doing it."""
