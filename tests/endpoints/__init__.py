"""Endpoints that speak the warehouses' own protocols to the real drivers, on loopback."""
