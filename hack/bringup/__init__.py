"""Bring-up of a machine: from a bare Debian to a running Suuupra, and back.

Standard library only: this package runs before any environment exists.
"""
