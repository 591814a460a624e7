"""Orders: quotes, placing, moves, and the customer's page.

api        the HTTP routes          service    pricing and placing
tracking   the page behind /t/<token>, readable without JavaScript
"""
