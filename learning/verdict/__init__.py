"""What the stored signals were worth, from arrays alone: no database, no clock. The sentences and the pages are made elsewhere."""
