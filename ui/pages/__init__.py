"""The pages: each arranges one screen and says nothing live by itself.

frame       head and style that every page has
home        where a signed-in person may go
login       how to sign in
kitchen rider operations      the live screens
"""
