"""Images as releases hold them: found, opened, decoded, told apart. 8-bit RGB and no torch."""
