"""The schema's history: small steps, forward only, each under a `lock_timeout`."""
