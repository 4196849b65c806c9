"""The same in a real kernel: scripts at random, real routers, real packets; and the model is the judge."""
