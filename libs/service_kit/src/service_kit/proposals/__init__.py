"""What one proposes and another decides: the part that is alike in every service that asks for two people.

A service brings its kinds of proposals: how each is asked for, and what its approval carries out.
"""
