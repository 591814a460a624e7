"""Words and rules of a cloud kitchen: the standard library only; everyone may import it, it imports nobody.

move        what a move is: name, sources, target, event
order line delivery payment session review     states and moves of each machine; offers and shifts are with delivery
block       who is kept from what, and how
roles       who may do what, and where
topics      the rooms of the live hub and how their names are read
views       which entity is in which kind of topic, with which fields
events      every fact that can be told; security: those worth an administrator's eye
errors      every refusal that can be answered
money geo   minor units and metres
"""
