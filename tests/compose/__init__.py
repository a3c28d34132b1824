"""`make compose-test`: the whole of deploy/compose.yml brought up, used, broken, scaled and taken down."""
