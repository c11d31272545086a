"""The gRPC server that every service has: its limits, its layers around a call, what a call brings along."""
