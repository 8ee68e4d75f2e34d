"""What the product does with campaigns. Pages, tasks and commands call these, nobody else writes."""
