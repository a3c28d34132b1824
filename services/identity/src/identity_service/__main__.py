"""`python -m identity_service all|api|worker|migrate`."""

import sys

from service_kit.lifecycle import command_line

from identity_service.app import build, migrate

if __name__ == "__main__":
    sys.exit(command_line(build=build, migrate=migrate))
