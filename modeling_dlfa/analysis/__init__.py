"""How hard a task is for an encoder."""
