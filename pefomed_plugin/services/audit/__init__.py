"""What scorers, other harnesses and judges make of answers whose worth is known."""
