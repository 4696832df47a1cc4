"""Files that are mounted here, local or NFS: as a source, and as a target."""
