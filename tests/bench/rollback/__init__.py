"""How soon a bad version is braked and hauled back on the whole cluster, and how many users' requests it costs."""
