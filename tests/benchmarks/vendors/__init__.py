"""The plain page walk of each vendor: the floor a pull is measured against."""
