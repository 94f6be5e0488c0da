"""The console commands: one module per command."""
