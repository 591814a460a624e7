"""The dispatcher process: who is asked to carry what.

plan    which free rider gets which waiting delivery; pure, no clock, no network
loop    reads the region, plans, offers; one leader per region
"""
