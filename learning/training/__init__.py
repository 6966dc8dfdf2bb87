"""How a model is made and judged: pure. Arrays in, arrays and plain numbers out; scikit-learn is imported by `boosted` alone."""
