"""Rating by people: who sees what in which order, as spreadsheets or on a local page, and back again."""
