"""Deliveries and the offers made of them: who carries what, and every step to the door."""
