"""The service that `operator_ready` starts by the dozen: all that the kit gives a service, and nothing of its own.

Every service of the platform but the gateway has a database, whose making would be measured with it; and the gateway
follows each change of a resource, so that fifty of them would be measured too. This one answers its probes. Its image
is made as theirs are, from this folder as `services.idle`; no manifest names it, so `make up` runs none.
"""
