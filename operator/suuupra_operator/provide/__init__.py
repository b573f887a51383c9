"""What a resource needs outside Kubernetes: database, topics, buckets.

Each provider works in two steps. `plan` decides, reading only what was read in bulk, and says what the resource may
claim; the claims are written into the resource's status *before* anything is made, so that nothing is ever made that
is not written down. `provide` then writes what differs.
"""
