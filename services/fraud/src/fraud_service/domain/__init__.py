"""What screening means, as pure values and functions: payments, rules, velocity, decisions and reviews."""
