"""What does the service count about itself, and how does Prometheus read it?"""
