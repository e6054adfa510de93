"""The only place that imports a database driver. One file a database, behind `Connector`."""
