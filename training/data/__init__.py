"""Cases, folds, images and their augmentation."""
