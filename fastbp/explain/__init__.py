"""What a network does, shown: one step number by number, and what its layers make of a picture."""
