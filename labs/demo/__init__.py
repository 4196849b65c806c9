"""`make demo`: the product at work in topology A, told step by step to whoever sees it for the first time."""
