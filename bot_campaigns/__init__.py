"""Call campaigns mirrored from a voice bot. May use ``crm_bridge.models``, never the reverse."""
