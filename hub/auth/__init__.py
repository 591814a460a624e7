"""Signing in and out.

sessions      opening, refreshing and revoking a sign-in; whoever mints one for a person does it here
refresh       the opaque refresh token: its hash and how its successor is sealed
otp           codes by phone; senders: how they get there
passwords     names and passwords of the staff
devices       kitchen tablets: pairing, and cooks who switch by PIN
enrolment     people from the command line
keys          keys of integrators
api           the routes of sessions; entry_api: of the ways in; machine_api: of tablets and keys
"""
