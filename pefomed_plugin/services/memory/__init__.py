"""What a run takes of memory and disk, by arithmetic alone, and what helps."""
