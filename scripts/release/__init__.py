"""What a release does, step by step, on any machine with Python, git and Docker.

`python3 -m scripts.release --help` lists the steps. The forge's workflow calls them and adds what only it
can: signed provenance, and the page of the release.
"""
