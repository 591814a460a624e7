"""The simulated city: its people act through `hub.client` only, as any integrator would.

day         one service day: kitchens, couriers, orders, and the terms of carrying
synthetic   a seeded generator of days with the statistics of the published ones
recording   days in files: our own lines of JSON, and the Grubhub text format
dishes      brands, dishes and names to choose from
city        what must exist before a day can be lived: kitchens, menus, people, grants, as rows for the seeder
founding    the city that a day needs
town        what the actors share, and tell each other
actors/     customers, cooks, riders
observers   independent subscribers that count what they are told
accounts    what became of every order
run         a day lived from the first order to the final fence
"""
