"""Where rows come from: the Hub, a folder, a task's own files, the embedded sample."""
