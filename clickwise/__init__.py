"""What all parts share: messages, the two pure rules, ports, figures, and the command."""
