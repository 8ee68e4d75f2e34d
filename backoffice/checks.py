"""System checks that refuse to start insecurely."""
