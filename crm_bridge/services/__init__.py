"""What the product does with contacts. Pages, tasks and commands call these, nobody else writes."""
