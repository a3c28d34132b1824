"""The demonstration: a few thousand payments of every kind, the same ones every time."""
