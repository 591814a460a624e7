"""Everything that speaks SQL.

connection   the pool and its transactions, over `databases` and asyncpg
statement    a Core statement compiled once at import and run by name
context      who acts and why, handed to the triggers inside the statement
metadata     the one MetaData; each noun's file holds its tables and its statements
pipeline     outbox, change log, sequencer's place: the way from a commit to an order of changes
migrate      brings a database to the newest schema
"""
