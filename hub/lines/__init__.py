"""Order lines: what a station cooks, and its moves."""
