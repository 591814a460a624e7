"""What operators and integrators ask of the hub itself: health, metrics, and the published documents."""
