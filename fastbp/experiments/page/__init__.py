"""The report page: its content, and that as HTML and as Markdown."""
