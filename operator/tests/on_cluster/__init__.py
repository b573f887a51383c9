"""Tests of the operator against a real API server and real backing servers.

Each folder of tests here is a package under a name of its own, and none lies directly in operator/tests: pytest would
import it as `operator.tests…`, and so put this folder in the place of the standard library's `operator`.
"""
