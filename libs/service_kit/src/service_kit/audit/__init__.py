"""The audit log: who did what, by what credential, from where and why, in a chain of hashes.

An entry is written in the transaction of what it tells (`record`), sealed within about a second (`sealing`),
and read by auditors (`routes`), which is itself recorded. What may be told of it is listed (`masking`).
"""

from service_kit.audit.record import Audited, Entry, Origin, origin_of, record

__all__ = ["Audited", "Entry", "Origin", "origin_of", "record"]
