"""HTTP in: translate, call one operation, translate out."""
