"""Other libraries' ways into fastbp; each module imports its library when it is imported itself."""
