"""The only code that reaches out: it resolves a receiver's name and posts to checked addresses alone."""
