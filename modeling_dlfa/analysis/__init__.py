"""Look inside one model: how hard a task is for an encoder, what its layers hold, which languages it holds alike."""
