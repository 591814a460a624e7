"""Everything that speaks SQL. The schema is made by the migrations; these files write statements.

the ground      connection   the pool and its transactions, over `databases` and asyncpg
                statement    a Core statement compiled once at import and run by name
                metadata     the one MetaData, and how a table is written down
                context      who acts and why, handed to the triggers inside the statement
                scope        which rows a principal may touch, said inside the statement
                idempotency  one effect per key, its answer stored by the same statement
                encryption   private columns, sealed before they come here
                leadership   one leader at a time by an advisory lock
                migrate      brings a database to the newest schema
the nouns       kitchens  orders  placing  order_moves  lines  deliveries  delivery_moves  offer_moves  riders
                people  users  roles  administration  blocks  reviews  auth  otp  passwords
                api_keys  devices  security
the pipeline    pipeline     outbox (the audit), change log, the sequencer's place
                snapshots    the present rows of a topic
the rest        upkeep       archiving, forgetting, the days of the log
                audit        the chain over the audit; audit_proof recomputes it, audit_reading pages it
                resealing    private columns under the present key
                invariants   what `hotpass verify` recomputes
                seed, load   a city's rows; a benchmark's writes
"""
