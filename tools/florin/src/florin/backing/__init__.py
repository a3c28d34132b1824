"""What the services stand on: Postgres, RabbitMQ and Redis or Valkey, private to one run folder.

Own ports, data, passwords and Erlang node: nothing that already runs on the machine is used or touched.
"""

from florin.backing.postgres import Postgres
from florin.backing.rabbitmq import RabbitMQ
from florin.backing.redis import Redis

__all__ = ["Postgres", "RabbitMQ", "Redis"]
