"""HTTP: each route translates in, calls one operation in one transaction, and translates out."""
