"""A small living world for a machine of one's own: people, courses, orders in every state, made over the public API.

Everybody signs in and gets a token as the user of any program does. Two things come otherwise, for nobody outside may do
them: accounts with a role are made by an operator's command where identity runs, and the bank accounts are those that the
simulated banks have from the beginning (`services/bank_simulator/domain/seeds.py`).
"""
