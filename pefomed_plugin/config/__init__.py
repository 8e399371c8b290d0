"""A run's configuration, typed whole: what each section may say, and how its layers become one."""
