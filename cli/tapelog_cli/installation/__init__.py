"""Where Tapelog runs: on one machine, or deployed; its folders, settings, parts and broker."""
