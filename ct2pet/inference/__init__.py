"""Prediction: from input images to stitched whole-body images."""
