"""Concord CRM, in whatever white label: contacts with their companies, deals and activities."""
