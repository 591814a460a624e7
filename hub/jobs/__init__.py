"""The jobs process: named background jobs, one file each; one leader by lock; due work comes from the database.

runner          leads, and runs every job at its own pace
fire_lines      lines whose time has come go to their stations
expire_orders   orders that no kitchen took in time
expire_offers   offers that no rider answered
expire_grants   roles whose time is over
audit_chain     the audit, chained after commit
reseal          private columns come under the present data key
archive_orders  ended orders leave their boards
forget          old answers and old days of the change log
forget_sign_ins  sign-ins, tokens and codes that are over
"""
