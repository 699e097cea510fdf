"""The ways to run one loss in PyTorch, an adapter each, all through its public interface."""
