"""The ledger: what was used and what it cost, by thread, tenant, principal, model, tool and day."""
