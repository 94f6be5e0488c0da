"""Raw datasets: folders, cases, splits and the integrity check."""
