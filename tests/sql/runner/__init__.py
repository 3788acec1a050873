"""The runner of the .slt files: see ../README.md."""
