"""What parity is made of: numbers, bounds, rules and the comparison; plain numpy."""
