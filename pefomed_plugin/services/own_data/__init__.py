"""A user's own files, as they are, into samples: tables, Hugging Face folders, trees of DICOM files. Decodes no
pixels."""
