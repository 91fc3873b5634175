"""What is inside a model, and how hard a task is for it."""
