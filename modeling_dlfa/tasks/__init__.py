"""The benchmark side: which tasks and languages, where the data come from, how they are encoded and scored."""
