"""mlproj runs machine learning projects, and knows afterwards exactly what ran."""

__version__ = "0.1.0"
