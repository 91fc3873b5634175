"""What is asked of a model: tasks as data, and the kinds of them; words to pieces, scores, languages."""
