"""What a catalog keeps beside its recovery points: the ledger, and small JSON files, each written whole."""
