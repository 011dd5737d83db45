"""How are many connections, slow and broken ones too, served by one process? By waitress."""
