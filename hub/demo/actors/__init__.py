"""The people of a city; each acts through the public API and its own socket only, and survives the loss of both.

customers   place orders, watch them, tell the rider the pin
cooks       start, finish and check what their kitchens' topics show as fired
riders      work their shift: offers, the way, the counter, the door
errands     what a rider does next, as a pure function of what the rider's topic shows
"""
