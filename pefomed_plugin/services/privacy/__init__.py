"""Protected health information in files: found, shown masked, and taken out of copies."""
