"""The halves of adapters that do whole jobs: training, evaluation, prediction."""
