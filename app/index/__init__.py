"""Which picture is newest in each folder now? The kernel tells (inotify(7)), or a walk."""
