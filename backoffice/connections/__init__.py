"""Pages about accounts of any kind: their form, health, runs and unreadable records."""
