"""Where wrapped keys of people are kept."""

from collections.abc import Sequence

from service_kit.wrapped_keys import KeptKeys, kept_keys

KEPT: Sequence[KeptKeys] = (
    kept_keys(
        "account.customers",
        id_column="id",
        id_type="uuid",
        before_all="00000000-0000-0000-0000-000000000000",
    ),
    kept_keys("account.account_holders", id_column="account_id", id_type="bigint", before_all="0"),
)
