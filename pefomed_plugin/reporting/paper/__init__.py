"""The paper's tables, figures and methods text, from the runs of one study."""
