"""Models of tables: what trains them and says how good they are, in Python and as commands."""
