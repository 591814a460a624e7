"""People: who they are, where they live, what they may do, and who may not order.

me        one's own profile, topics and addresses
people    administration: list, add, disable, merge, erase; every look at private data is recorded
roles     granting and taking roles
audit     who changed what, when and why
matrix    the page that tells who may do what
blocks    who may not order, or only when paid before or looked at, and who stays apart
reviews   orders that wait to be looked at
private   phones and addresses: normalised, sealed, found again
answers   what the administration is answered; filters: what its lists can be narrowed to
api       the routes of one's own; admin_api: those of the administration
"""
