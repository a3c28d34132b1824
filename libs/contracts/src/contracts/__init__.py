"""What crosses a boundary: money, message types and their catalogue."""
