"""The audit log: who did what, by what credential, from where and why, in a chain of hashes.

An entry is written in the transaction of what it tells (`record`), sealed within about a second (`sealing`),
and read by auditors (`routes`), which is itself recorded. What may be told of it is listed (`masking`).
"""

from service_kit.audit.record import Audited, AuditedStranger, Entry, Origin, record

__all__ = ["Audited", "AuditedStranger", "Entry", "Origin", "record"]
