"""The composition root: the only place where the parts of the identity service are made and joined."""

import secrets
from importlib.metadata import version

from fastapi import FastAPI
from service_kit import assembly
from service_kit.assembly import Foundation
from service_kit.audit.routes import audit_routes
from service_kit.auth import Authenticator
from service_kit.http import create_app
from service_kit.ids import uuid7
from service_kit.key_encryption_keys import KeyEncryptionKeys
from service_kit.lifecycle import Process, Role
from service_kit.limits import Limits
from service_kit.vault import Vault

from identity_service.api.client_routes import client_routes
from identity_service.api.discovery_routes import discovery_routes
from identity_service.api.key_routes import key_routes
from identity_service.api.key_uses import KeyUses
from identity_service.api.oauth_routes import REVOCATION_PATH, TOKEN_PATH, oauth_routes
from identity_service.api.parts import IdentityParts
from identity_service.api.people_parts import PeopleParts
from identity_service.api.people_problems import PEOPLE_ERRORS
from identity_service.api.people_routes import people_routes
from identity_service.api.problems import ERRORS
from identity_service.api.session_routes import session_routes
from identity_service.api.sign_in_routes import sign_in_routes
from identity_service.api.signing_key_routes import signing_key_routes
from identity_service.api.trust_routes import trust_routes
from identity_service.operations.door import Door
from identity_service.operations.issue_key import KeyMaker
from identity_service.operations.issue_token import TokenMaker
from identity_service.operations.rotate_signing_keys import ensure_signing_keys
from identity_service.persistence.breached_passwords import BreachList
from identity_service.persistence.challenges import Challenges
from identity_service.persistence.key_seal import KeySeal
from identity_service.persistence.lock_out import LockOut
from identity_service.persistence.passwords import Passwords
from identity_service.persistence.people import Directory
from identity_service.persistence.sessions import Sessions
from identity_service.persistence.short_memory import ShortMemory
from identity_service.settings import IdentitySettings

SERVICE = IdentitySettings.service


def make_api(parts: IdentityParts, people: PeopleParts, api_keys: Authenticator) -> FastAPI:
    """The HTTP application."""
    return create_app(
        service=SERVICE,
        title="Florin identity service",
        version=version("florin-identity-service"),
        description="Says who may call: clients, their keys, people, and the tokens they get.",
        api_keys=api_keys,
        routers=[
            client_routes(parts),
            key_routes(parts),
            signing_key_routes(parts),
            oauth_routes(parts),
            discovery_routes(parts),
            trust_routes(parts),
            people_routes(people),
            sign_in_routes(people),
            session_routes(people),
            audit_routes(parts),
        ],
        limits=Limits(form_paths=frozenset({TOKEN_PATH, REVOCATION_PATH})),
        errors={**ERRORS, **PEOPLE_ERRORS},
    )


def build(role: Role) -> Process:
    """The process of one role: `api` and `all` answer HTTP, `worker` and `all` seal the audit log."""
    settings = IdentitySettings.read()
    foundation = Foundation(settings)
    keys = KeyEncryptionKeys.load(settings.key_encryption_keys_file)
    pepper = settings.api_key_pepper.get_secret_value().encode()
    parts = IdentityParts(
        database=foundation.database,
        clock=foundation.clock,
        new_id=uuid7,
        staff_client=settings.staff_client,
        key_maker=KeyMaker(pepper, secrets.token_bytes, uuid7),
        token_maker=TokenMaker(
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            seal=KeySeal(keys),
            clock=foundation.clock,
            new_id=uuid7,
        ),
        key_uses=KeyUses(foundation.database, foundation.clock),
    )
    redis_url = settings.redis_url
    memory = ShortMemory(None if redis_url is None else redis_url.get_secret_value())
    people = make_people(
        parts,
        memory=memory,
        vault=Vault(keys, handle_key=settings.handle_key),
        passwords=Passwords(),
        breached=BreachList.load(settings.breached_passwords_file),
        origin=settings.public_origin,
    )
    process = foundation.process(
        role,
        behind_api=[("key uses", parts.key_uses)],
        api=lambda api_keys: make_api(parts, people, api_keys),
    )
    process.before_start("signing keys", lambda: make_signing_keys(parts))
    process.at_end("redis", memory.close)
    return process


def make_people(
    parts: IdentityParts,
    *,
    memory: ShortMemory,
    vault: Vault,
    passwords: Passwords,
    breached: BreachList,
    origin: str | None = None,
) -> PeopleParts:
    """What people sign in by, on the same database and clock."""
    door = Door(
        database=parts.database,
        directory=Directory(vault),
        passwords=passwords,
        lock_out=LockOut(memory),
        challenges=Challenges(memory),
        sessions=Sessions(memory),
        clock=parts.clock,
        new_id=parts.new_id,
    )
    return PeopleParts(identity=parts, door=door, breached=breached, origin=origin)


async def make_signing_keys(parts: IdentityParts) -> None:
    """See that there is a key that signs; the very first start makes it."""
    async with parts.database.transaction() as connection:
        await ensure_signing_keys(
            connection, seal=parts.token_maker.seal, clock=parts.clock, new_id=parts.new_id
        )


async def migrate() -> str:
    """Bring the schema to head, as its owner."""
    return await assembly.migrate(IdentitySettings.read())
