"""`python -m account_service all|api|worker|migrate|rotate-keys`."""

import sys

from service_kit.lifecycle import command_line

from account_service.app import build, migrate, rotate

if __name__ == "__main__":
    sys.exit(command_line(build=build, migrate=migrate, tasks={"rotate-keys": rotate}))
