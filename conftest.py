"""The kit's fixtures, for every test of the project; and where the programs that tests run keep their caches."""

import os

from bringup.paths import PROGRAM_CACHES

os.environ.update(PROGRAM_CACHES)

pytest_plugins = ["suuupra.testing.plugin"]
