"""Live: the socket server (engine and its parts), and what it tells whom (topics, fan-out, recovery)."""
