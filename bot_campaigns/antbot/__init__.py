"""AntBOT ("Alice"), the voice bot of AntBuddy. See docs/vendors/antbot.md."""
