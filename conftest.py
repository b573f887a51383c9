"""The kit's fixtures, for every test of the project."""

pytest_plugins = ["suuupra.testing.plugin"]
