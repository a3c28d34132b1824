"""Where wrapped keys of people are kept."""

from collections.abc import Sequence

from service_kit.wrapped_keys import KeptKeys, kept_keys

KEPT: Sequence[KeptKeys] = (
    kept_keys(
        "identity.people", id_column="id", id_type="uuid", before_all="00000000-0000-0000-0000-000000000000"
    ),
)
# And the table whose rows are sealed under a key-encryption key themselves.
SIGNING_KEYS = "identity.signing_keys"
