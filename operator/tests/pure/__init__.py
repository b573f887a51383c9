"""Tests of what decides and touches nothing. See `on_cluster` for why each folder is a package of its own."""
