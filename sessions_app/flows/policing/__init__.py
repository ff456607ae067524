"""What stands between an agent and its actions: evaluating, holding, going on."""
