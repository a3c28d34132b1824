"""Says who may call: clients, their keys, and the tokens they get."""
