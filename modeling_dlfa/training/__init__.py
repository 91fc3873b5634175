"""One run: fit a model, score it, leave what others need; stages before it, and the layer to fuse."""
