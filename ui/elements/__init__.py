"""The live elements: each shows one thing and keeps its own socket to the hub; one .py and one .js each.

kitchen_board  rider_desk  operations_board  sign_in  doors (those open to the signed-in person)

The Python side only hands over addresses and ids. What an element draws comes from `static/live.js`.
"""
