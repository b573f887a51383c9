"""The switch's addresses: messages, participants, stories, and the phone."""
