"""Ends with 0 when the process of this container says that it may be given work. Needs no packages: -I -S."""

import http.client
import os
import sys

port = int(os.environ.get("FLORIN_INTERNAL_PORT", "9090"))
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
try:
    connection.request("GET", "/readyz")
    sys.exit(connection.getresponse().status != 200)
except (OSError, http.client.HTTPException):
    sys.exit(1)
