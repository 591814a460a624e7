"""Kitchens: where they are, what they cook, whether they take orders; and the product clock that all of them share."""
