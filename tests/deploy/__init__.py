"""What is promised of deploy/: images, compose and Kubernetes, read as they will be applied."""
