"""What others may know of idle: that it is there."""
