"""Many runs: a grid of them on any number of machines, which layer to fuse, and what the numbers say."""
