"""What a machine goes through, by hand: these scripts stop Docker, so no test run includes them."""
