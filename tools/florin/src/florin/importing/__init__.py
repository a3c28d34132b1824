"""Feeding accounts and payments from CSV files, so that a file given twice moves nothing twice."""
