"""AntCRM ("ApiRing") customers: leads, contacts and accounts. See docs/vendors/antcrm.md."""
