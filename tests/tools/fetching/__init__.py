"""Fetching pages: what is read of them, and how it is kept from reaching anything but the public Internet."""
