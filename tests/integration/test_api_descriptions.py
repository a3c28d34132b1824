"""schemathesis over each service's own description: nothing gives a 5xx, every answer is as described."""


