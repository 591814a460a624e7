"""Riders: their shifts and where they are."""
