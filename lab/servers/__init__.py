"""The real servers of a site: MariaDB, a ZooKeeper ensemble of three, and one private sshd a node."""
