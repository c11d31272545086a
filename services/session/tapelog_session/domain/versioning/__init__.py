"""Mix and master versions: proposed, rendered, compared, decided on."""
