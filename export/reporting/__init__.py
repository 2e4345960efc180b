"""The report: what it says, the page with its figures, and JUnit XML."""
