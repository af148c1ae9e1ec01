"""What is measured, how several workers' numbers become one, and how it is said to Prometheus."""
