"""One generation with feedback: what is attended to, when and how strongly. Knows no host."""
