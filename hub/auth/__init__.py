"""Signing in and out.

sessions      opening, refreshing and revoking a sign-in; whoever mints one for a person does it here
refresh       the opaque refresh token: its hash and how its successor is sealed
api           the routes
"""
