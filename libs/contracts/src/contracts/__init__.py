"""What crosses a boundary between services: money, message types and the catalogue of who sends what."""
