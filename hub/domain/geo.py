"""Places on the globe: degrees, metres, and the projection of a plane city onto the map."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_METRES = 6_371_008.8  # mean radius, IUGG
METRES_PER_DEGREE = 111_195.08  # of latitude, on that sphere


def distance_metres(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance by the haversine formula; within 0.5 % of the ellipsoid."""
    lat_1, lat_2 = radians(lat_a), radians(lat_b)
    half = sin((lat_2 - lat_1) / 2) ** 2 + cos(lat_1) * cos(lat_2) * sin(radians(lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_METRES * asin(min(1.0, sqrt(half)))


def is_on_globe(lat: float, lon: float) -> bool:
    """True for finite coordinates in range; (0, 0) is refused, it is what broken devices send."""
    return -90 <= lat <= 90 and -180 <= lon <= 180 and (lat, lon) != (0.0, 0.0)


def project(x_metres: float, y_metres: float, *, centre_lat: float, centre_lon: float) -> tuple[float, float]:
    """(lat, lon) of a point given in metres east and north of a city's centre; a plane, fine enough below 50 km."""
    lat = centre_lat + y_metres / METRES_PER_DEGREE
    return lat, centre_lon + x_metres / (METRES_PER_DEGREE * cos(radians(centre_lat)))
