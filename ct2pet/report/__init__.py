"""One HTML file with pictures and tables."""
